// A proof stream, whole: what is accepted is the only form of what it says.
#include <algorithm>
#include <nexus/proof_stream.hpp>
#include <vector>

#include "base/bytes.hpp"
#include "format/proof_stream.hpp"
#include "fuzz_check.hpp"

namespace {

using namespace nexus;

// In pieces, the first ones small.
proofs::read_function reader_of(byte_view data) {
  return [rest = data, piece = std::size_t{1}](
             byte_span into) mutable -> result<std::size_t> {
    const std::size_t n = std::min({into.size(), rest.size(), piece});
    std::copy_n(rest.begin(), n, into.begin());
    rest = rest.subspan(n);
    piece = piece * 3 + 1;
    return n;
  };
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view stream(reinterpret_cast<const std::byte*>(data), size);
  std::uint64_t seen = 0;
  std::uint64_t sum = 0;
  const auto total = proofs::inspect(
      reader_of(stream),
      [&](const proofs::segment_description& segment,
          byte_view proof) -> status {
        ++seen;
        sum += segment.bytes;
        // Whatever it says: never more than an error.
        const status verified =
            verify_segment(proof, segment.bytes, segment.position,
                           segment.digest, proof_options{});
        FUZZ_CHECK(verified.ok() ||
                   verified.code() == status_code::invalid_data ||
                   verified.code() == status_code::invalid_argument);
        return {};
      });
  if (!total.ok()) {
    FUZZ_CHECK(total.error().code() == status_code::invalid_data);
    return 0;
  }
  FUZZ_CHECK(proofs::is_proof_stream(stream));
  FUZZ_CHECK(total->segments == seen && total->bytes == sum);
  bytes joined;
  const auto again =
      proofs::join({{"stream", reader_of(stream)}}, [&joined](byte_view piece) {
        append(joined, piece);
        return status{};
      });
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(std::ranges::equal(joined, stream));
  return 0;
}
