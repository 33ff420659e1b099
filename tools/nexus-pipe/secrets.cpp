#include "secrets.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "files.hpp"

namespace nexus::tool {
namespace {

// The leak check of AddressSanitizer traces its own process.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NEXUS_TOOL_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(NEXUS_TOOL_SANITIZED)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

constexpr std::size_t largest_key_file = 16u << 20;
constexpr std::size_t longest_passphrase = 64u << 10;

// A buffer that is wiped when it goes.
template <std::size_t N>
struct wiped_buffer : std::array<char, N> {
  ~wiped_buffer() { wipe(this->data(), N); }
};

result<secret_string> read_key_file(const std::string& path,
                                    const stop_event& stop) {
  result<input_file> file = input_file::open(path);
  if (!file) return file.error();
  secret_string text;
  wiped_buffer<16384> part;
  std::size_t total = 0;
  while (true) {
    const result<std::size_t> got =
        file->read(std::as_writable_bytes(std::span(part)), stop);
    if (!got) return got.error();
    if (*got == 0) return text;
    total += *got;
    if (total > largest_key_file) {
      return status(status_code::invalid_data,
                    file->name() + ": too long for a file of keys");
    }
    text.append({part.data(), *got});
  }
}

// A byte at a time, so that the next reader finds what follows the line.
result<secret_string> read_first_line(input_file& file,
                                      const stop_event& stop) {
  secret_string line;
  char c = 0;
  for (std::size_t length = 0;; ++length) {
    const result<std::size_t> got =
        file.read(std::as_writable_bytes(std::span(&c, 1)), stop);
    if (!got) return got.error();
    if (*got == 0 || c == '\n') break;
    if (length == longest_passphrase) {
      return status(status_code::invalid_data,
                    file.name() + ": the passphrase is over 64 KiB");
    }
    line.push_back(std::exchange(c, '\0'));
  }
  if (line.view().ends_with('\r')) line.pop_back();
  if (line.empty()) {
    return status(status_code::invalid_argument,
                  file.name() + ": the passphrase is empty");
  }
  return line;
}

bool is_encrypted(std::string_view text) {
  return text.starts_with("age-encryption.org/") ||
         text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----");
}

result<std::vector<age::identity>> parse_identity_file(
    std::string_view text, const std::string& path) {
  if (is_encrypted(text)) {
    return status(status_code::invalid_data,
                  display_name(path) + ": the identity file is encrypted",
                  "decrypt it on the way: nexus-pipe decrypt KEYS | nexus-pipe "
                  "decrypt -i - FILE");
  }
  return age::parse_identities(text, display_name(path));
}

}  // namespace

void harden_process() noexcept {
  if constexpr (!sanitized) ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

result<std::string> default_identity_path() {
  std::string directory;
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (config != nullptr && config[0] == '/') {
    directory = config;
  } else if (home != nullptr && home[0] == '/') {
    directory = std::string(home) + "/.config";
  } else {
    return status(status_code::io_error,
                  "the default identity has no place: HOME is not set",
                  "name the files of keys");
  }
  return directory + "/nexus-pipe/identity.txt";
}

result<std::vector<age::identity>> read_identities(const std::string& path,
                                                   const stop_event& stop) {
  const result<secret_string> text = read_key_file(path, stop);
  if (!text) return text.error();
  return parse_identity_file(text->view(), path);
}

result<std::vector<age::recipient>> read_recipients(const std::string& path,
                                                    const stop_event& stop) {
  // Held as a secret: it may be the wrong file that was named.
  const result<secret_string> text = read_key_file(path, stop);
  if (!text) return text.error();
  return age::parse_recipients(text->view(), display_name(path));
}

result<std::vector<age::identity>> read_default_identities(
    const stop_event& stop) {
  const result<std::string> path = default_identity_path();
  if (!path) return std::vector<age::identity>{};
  const result<secret_string> text = read_key_file(*path, stop);
  if (text) return parse_identity_file(text->view(), *path);
  const int reason = text.error().system_error();
  if (reason == ENOENT || reason == ENOTDIR) {
    return std::vector<age::identity>{};
  }
  return text.error();
}

result<secret_string> read_passphrase(const passphrase_source& from,
                                      const stop_event& stop) {
  if (from.descriptor) {
    input_file file = input_file::borrow(*from.descriptor);
    return read_first_line(file, stop);
  }
  result<input_file> file = input_file::open(from.file);
  if (!file) return file.error();
  return read_first_line(*file, stop);
}

result<secret_string> make_passphrase() {
  // 32 letters, five bits each, without those that look like another (Bech32).
  constexpr std::string_view letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  constexpr std::size_t count = 28;
  constexpr std::size_t group = 4;
  wiped_buffer<count> random;
  if (::getrandom(random.data(), count, 0) != static_cast<ssize_t>(count)) {
    return status(status_code::io_error, "the system gives no random bytes", {},
                  errno);
  }
  secret_string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0 && i % group == 0) text.push_back('-');
    text.push_back(letters[static_cast<unsigned char>(random[i]) % 32]);
  }
  return text;
}

}  // namespace nexus::tool
