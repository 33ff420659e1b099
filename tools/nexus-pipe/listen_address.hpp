// Where a server listens.
#pragma once

#include <cstdint>
#include <nexus/status.hpp>
#include <string>
#include <string_view>

namespace nexus::tool {

struct listen_address {
  std::string host = "127.0.0.1";  // a numeric address, without brackets
  std::uint16_t port = 0;          // 0: the system picks one
  [[nodiscard]] bool is_ipv6() const noexcept {
    return host.find(':') != std::string::npos;
  }
  [[nodiscard]] bool is_loopback() const noexcept {
    return host == "::1" || host.starts_with("127.");
  }
  // "127.0.0.1:9464", "[::1]:9464"
  [[nodiscard]] std::string text() const;
};

// Whether it is meant to be an address: no '/', and digits alone, or a ':'.
[[nodiscard]] bool looks_like_address(std::string_view text) noexcept;

// "9464" and ":9464" (on the loopback), "10.0.0.1:9464", "[::1]:9464",
// "localhost:9464". invalid_argument for anything else: no name is looked up.
[[nodiscard]] result<listen_address> parse_listen_address(
    std::string_view text);

}  // namespace nexus::tool
