#include "listen_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

namespace nexus::tool {
namespace {

status refused(std::string_view text, const char* why) {
  return {status_code::invalid_argument,
          "\"" + std::string(text) + "\" is no address to listen at: " + why,
          "addresses look like 9464, 127.0.0.1:9464 or [::1]:9464"};
}

bool is_numeric(const std::string& host, bool bracketed) noexcept {
  in6_addr address{};
  const int family = bracketed ? AF_INET6 : AF_INET;
  return ::inet_pton(family, host.c_str(), &address) == 1;
}

}  // namespace

std::string listen_address::text() const {
  return (is_ipv6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool looks_like_address(std::string_view text) noexcept {
  if (text.find('/') != std::string_view::npos) return false;
  return text.find(':') != std::string_view::npos ||
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

result<listen_address> parse_listen_address(std::string_view text) {
  listen_address into;
  std::string_view port = text;
  if (const std::size_t colon = text.rfind(':');
      colon != std::string_view::npos) {
    std::string_view host = text.substr(0, colon);
    port = text.substr(colon + 1);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (host != "localhost" && !(host.empty() && !bracketed)) {
      into.host = host;
      if (!is_numeric(into.host, bracketed))
        return refused(text, "the host is not a numeric address");
    }
  }
  const char* end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data(), end, into.port);
  if (port.empty() || error != std::errc{} || stop != end)
    return refused(text, "the port is not a number from 0 to 65535");
  return into;
}

}  // namespace nexus::tool
