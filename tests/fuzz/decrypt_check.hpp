// Whole decryption of files that were damaged: whatever was done to them, what
// comes out is the beginning of what once went in.
#pragma once

#include <algorithm>
#include <nexus/age.hpp>
#include <optional>

#include "fuzz_check.hpp"
#include "support/age_files.hpp"

namespace nexus::test {

// Every seed and every file made here holds the beginning of this one text
// under one file key and nonce, so that nothing else can ever come out.
inline const bytes& known_text() {
  static const bytes text = sample(6 * 65536 + 1000);
  return text;
}

// The size of what came out, where the file was taken as a whole one.
inline std::optional<std::size_t> check_decryption(byte_view file,
                                                   run_settings settings) {
  const run_result opened = decrypt(file, std::move(settings));
  const bytes& known = known_text();
  FUZZ_CHECK(opened.output.size() <= known.size());
  FUZZ_CHECK(
      std::equal(opened.output.begin(), opened.output.end(), known.begin()));
  FUZZ_CHECK(opened.end.code() != status_code::internal);
  FUZZ_CHECK(opened.end.ok() || !opened.end.message().empty());
  FUZZ_CHECK(opened.end.message().find('\n') == std::string::npos);

  // What the file says of itself agrees with what was in it.
  byte_view rest = file;
  const auto told = age::inspect([&rest](byte_span to) -> result<std::size_t> {
    const std::size_t n = std::min(to.size(), rest.size());
    std::copy_n(rest.begin(), n, to.begin());
    rest = rest.subspan(n);
    return n;
  });
  if (!opened.end.ok()) return {};
  FUZZ_CHECK(told.ok());
  FUZZ_CHECK(told->payload_bytes == opened.output.size());
  return opened.output.size();
}

}  // namespace nexus::test
