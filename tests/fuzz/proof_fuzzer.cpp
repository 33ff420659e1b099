// A proof of a few queries. The first byte says which golden statement and wire
// format it is taken for; corpus/proof holds the golden proofs behind theirs.
#include <algorithm>
#include <array>

#include "fuzz_check.hpp"
#include "prover/verify.hpp"
#include "prover/wire.hpp"

namespace {

using namespace nexus;

struct golden_statement {
  prover::segment_statement statement;
  segment_digest digest;
};

const std::array<golden_statement, 2> statements = {{
    {{0, {0, true}},
     {32652489, 2025277051, 581417620, 990191056, 1575572232, 1908193053,
      1859433443, 659815788}},
    {{40000, {7, true}},
     {2098736742, 31196770, 601970060, 121579955, 1280643579, 799798711,
      1984537138, 1518021315}},
}};
constexpr prover::proof_parameters few{5, 3};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const golden_statement& about = statements[data[0] & 1];
  const proof_wire wire =
      (data[0] & 2) != 0 ? proof_wire::p3_0_7 : proof_wire::p3_0_6;
  const byte_view proof(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const prover::proof_shape shape{about.statement.log_rows(), few, wire};
  const auto decoded = prover::decode(proof, shape);
  if (decoded.ok()) {
    // Every value has one encoding.
    FUZZ_CHECK(std::ranges::equal(prover::encode(*decoded, shape), proof));
    FUZZ_CHECK(proof.size() <= prover::encoded_limit(shape));
  }
  prover::digest root;
  FUZZ_CHECK(prover::from_integers(about.digest, root));
  const status verified =
      prover::verify_stark(proof, about.statement, root, few, wire);
  FUZZ_CHECK(decoded.ok() || !verified.ok());
  FUZZ_CHECK(verified.ok() || verified.code() == status_code::invalid_data);
  return 0;
}
