#include "golden.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

std::string read_vector(const std::string& name) {
  // Tests that run away from the source tree say where they took the vectors.
  const char* folder = std::getenv("NEXUS_PROVE_VECTORS");
  if (folder == nullptr) folder = NEXUS_PROVE_VECTORS;
  std::ifstream file(folder + ("/" + name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

nexus::bytes make_input(std::size_t length, std::uint64_t seed) {
  nexus::bytes out;
  out.reserve(length + 8);
  while (out.size() < length) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    for (unsigned i = 0; i < 8; ++i) {
      out.push_back(static_cast<std::byte>(seed >> (8 * i)));
    }
  }
  out.resize(length);
  return out;
}

std::string sha256_hex(nexus::byte_view data) {
  std::array<unsigned char, 32> hash{};
  EVP_Digest(data.data(), data.size(), hash.data(), nullptr, EVP_sha256(),
             nullptr);
  std::string out;
  for (const unsigned char byte : hash) {
    out += "0123456789abcdef"[byte / 16];
    out += "0123456789abcdef"[byte % 16];
  }
  return out;
}

nexus::bytes golden_case::proof(nexus::proof_wire wire) const {
  const std::string text =
      read_vector(name + (wire == nexus::proof_wire::p3_0_6 ? ".p3-0.6.proof"
                                                            : ".p3-0.7.proof"));
  const auto view = nexus::as_bytes(text);
  return {view.begin(), view.end()};
}

std::ostream& operator<<(std::ostream& out, const golden_case& value) {
  return out << value.name;
}

namespace {

golden_case parse(const nlohmann::json& from) {
  golden_case out;
  out.name = from.at("name");
  out.length = from.at("length");
  out.seed = from.at("seed");
  out.position = {from.at("index"), from.at("last")};
  out.rows = from.at("rows");
  out.parameters = {from.at("queries"), from.at("query_pow")};
  out.digest = from.at("digest");
  out.publics = from.at("public_values");
  out.input_sha256 = from.at("input_sha256");
  out.proof_sha256 = {from.at("proof_0_6_sha256"),
                      from.value("proof_0_7_sha256", "")};
  out.proof_length = {from.at("proof_0_6_length"),
                      from.value("proof_0_7_length", std::uint64_t{0})};
  return out;
}

}  // namespace

const std::vector<golden_case>& golden_cases() {
  static const auto cases = [] {
    std::vector<golden_case> out;
    for (const auto& each : nlohmann::json::parse(read_vector("cases.json"))) {
      out.push_back(parse(each));
    }
    return out;
  }();
  return cases;
}

const golden_case& golden(const std::string& name) {
  for (const auto& each : golden_cases()) {
    if (each.name == name) {
      return each;
    }
  }
  throw std::out_of_range("no golden case " + name);
}

nlohmann::json golden_values(const std::string& name) {
  return nlohmann::json::parse(read_vector(name + ".values.json"));
}

nexus::prover::digest root_of(const golden_case& each) {
  nexus::prover::digest out;
  EXPECT_TRUE(nexus::prover::from_integers(each.digest, out));
  return out;
}
