// Messages by HTTP, signed as Standard Webhooks 1.0.0 says.
#pragma once

#include <chrono>
#include <cstdint>
#include <nexus/status.hpp>
#include <stop_token>
#include <string>
#include <string_view>

namespace nexus::queue {

struct webhook_message {
  std::string url;
  std::string secret;  // as in the configuration; empty: it is not signed
  std::string id;
  std::int64_t timestamp = 0;  // seconds since 1970, of this attempt
  std::string body;            // JSON
};

// The bytes of "whsec_" and base64: 24 to 64. invalid_argument: it is none.
[[nodiscard]] result<std::string> decode_secret(std::string_view text);

// "v1," and the base64 of the HMAC-SHA-256 of "id.timestamp.body".
// https://www.standardwebhooks.com
[[nodiscard]] std::string sign(std::string_view key, std::string_view id,
                               std::int64_t timestamp, std::string_view body);

// Posts it by the program curl. io_error: it did not arrive, or the answer was
// not of 200 to 299. cancelled: it was stopped.
[[nodiscard]] status post(const webhook_message& message,
                          std::chrono::milliseconds limit,
                          const std::stop_token& stop);

}  // namespace nexus::queue
