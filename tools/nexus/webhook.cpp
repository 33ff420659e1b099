#include "webhook.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "program.hpp"

namespace nexus::queue {
namespace {

constexpr std::string_view secret_mark = "whsec_";

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string encode_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      bytes_of(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// Empty: it is none.
std::string decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > 1024) return {};
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      bytes_of(text), static_cast<int>(text.size()));
  if (size < 0) return {};
  const auto padding = text.size() - text.find_last_not_of('=') - 1;
  if (padding > 2) return {};
  bytes.resize(bytes.size() - padding);
  return bytes;
}

// In a file of curl's options, where nobody who lists processes sees it.
std::string option(std::string_view name, std::string_view value) {
  std::string line = fmt::format("{} = \"", name);
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += c;
  }
  return line + "\"\n";
}

std::string options_of(const webhook_message& message,
                       std::chrono::milliseconds limit) {
  // A URL is as it is, with brackets and braces.
  std::string text = "silent\ngloboff\n";
  text += option("url", message.url);
  text += option("proto", "=http,https");
  text +=
      option("max-time",
             fmt::format("{:.3f}", static_cast<double>(limit.count()) / 1000));
  text += option("output", "/dev/null");
  text += option("write-out", "%{http_code}");
  text += option("user-agent", "nexus/" NEXUS_VERSION);
  text += option("header", "content-type: application/json");
  text += option("header", "webhook-id: " + message.id);
  text +=
      option("header", fmt::format("webhook-timestamp: {}", message.timestamp));
  if (const auto key = decode_secret(message.secret); key.ok()) {
    text += option("header",
                   "webhook-signature: " +
                       sign(*key, message.id, message.timestamp, message.body));
  }
  return text + option("data-raw", message.body);
}

// Exit statuses of curl that users can do something about.
std::string_view meaning_of(int exit_status) {
  switch (exit_status) {
    case 3:
      return "the address makes no sense";
    case 6:
      return "the host is not known";
    case 7:
      return "nobody listens there";
    case 28:
      return "there was no answer in time";
    case 35:
    case 60:
      return "TLS failed";
    default:
      return "it could not be sent";
  }
}

}  // namespace

result<std::string> decode_secret(std::string_view text) {
  std::string key;
  if (text.starts_with(secret_mark)) {
    key = decode_base64(text.substr(secret_mark.size()));
  }
  if (key.size() < 24 || key.size() > 64) {
    return status(status_code::invalid_argument,
                  "has to be whsec_ and 24 to 64 bytes in base64");
  }
  return key;
}

std::string sign(std::string_view key, std::string_view id,
                 std::int64_t timestamp, std::string_view body) {
  const std::string text = fmt::format("{}.{}.{}", id, timestamp, body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text),
       text.size(), digest.data(), &size);
  return "v1," + encode_base64({reinterpret_cast<const char*>(digest.data()),
                                static_cast<std::size_t>(size)});
}

status post(const webhook_message& message, std::chrono::milliseconds limit,
            const std::stop_token& stop) {
  program asked;
  // -q: without the user's own options.
  asked.words = {"curl", "-q", "--config", "-"};
  asked.input = options_of(message, limit);
  asked.limit = limit + std::chrono::seconds(2);
  asked.own_group = true;
  asked.stop = stop;
  const auto ran = run_program(asked);
  if (!ran) {
    return {status_code::unsupported, "curl is not installed",
            "on Debian: apt-get install curl"};
  }
  if (ran->stopped) return {status_code::cancelled, "it was stopped"};
  if (ran->timed_out) {
    return {status_code::io_error, std::string(meaning_of(28))};
  }
  if (ran->exit_status != 0) {
    return {status_code::io_error,
            fmt::format("{} (curl's status {})", meaning_of(ran->exit_status),
                        ran->exit_status)};
  }
  if (ran->text.size() == 3 && ran->text[0] == '2') return {};
  return {status_code::io_error, fmt::format("the answer was {}", ran->text)};
}

}  // namespace nexus::queue
