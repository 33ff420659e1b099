// Age files for tests of the operations, and a key that opens them.
#pragma once

#include <nexus/age.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "support/run_operation.hpp"

namespace nexus::test {

// The identity that most vectors of the CCTV age testkit are encrypted to.
inline age::identity test_identity() {
  auto parsed = age::identity::parse(
      "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2L"
      "M0");
  return std::move(*parsed);
}

// Bytes that no shift by a chunk, a line or a power of two maps to themselves.
inline bytes sample(std::size_t n) {
  bytes out(n);
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = static_cast<std::byte>((i % 251) ^ (i / 65536));
  }
  return out;
}

inline age::encrypt_options to_test_identity(bool armor) {
  age::encrypt_options options;
  options.recipients.push_back(test_identity().to_recipient());
  options.armor = armor;
  // Any bytes: files of the same text are the same.
  age::fixed_secrets fixed;
  fixed.file_key.fill(std::byte{0x11});
  fixed.nonce.fill(std::byte{0x22});
  fixed.ephemeral.fill(std::byte{0x33});
  options.fixed = fixed;
  return options;
}

inline run_result encrypt(byte_view text, bool armor,
                          run_settings settings = {}) {
  auto op = age::make_encrypt(to_test_identity(armor));
  return run_operation(*op, text, std::move(settings));
}

inline bytes encrypted(std::size_t n, bool armor) {
  return encrypt(sample(n), armor).output;
}

inline run_result decrypt(byte_view file, run_settings settings = {}) {
  age::decrypt_options options;
  options.identities.push_back(test_identity());
  auto op = age::make_decrypt(std::move(options));
  return run_operation(*op, file, std::move(settings));
}

inline run_settings in_segments(std::uint64_t size,
                                std::size_t peek_ahead = 0) {
  run_settings settings;
  settings.segment_bytes = size;
  settings.peek_ahead = peek_ahead;
  return settings;
}

inline bytes to_bytes(std::string_view text) {
  const byte_view view = as_bytes(text);
  return {view.begin(), view.end()};
}

// The lines of an armored file, without their endings.
inline std::vector<std::string> lines_of(byte_view file) {
  std::vector<std::string> lines;
  std::string_view rest = as_text(file);
  while (!rest.empty()) {
    const std::size_t lf = rest.find('\n');
    lines.emplace_back(rest.substr(0, lf));
    rest.remove_prefix(lf + 1);
  }
  return lines;
}

inline bytes joined(const std::vector<std::string>& lines,
                    std::string_view ending = "\n") {
  std::string out;
  for (const std::string& line : lines) out.append(line).append(ending);
  return to_bytes(out);
}

}  // namespace nexus::test
