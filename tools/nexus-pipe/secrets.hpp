// Keys and passphrases between files and the library.
#pragma once

#include <nexus/age.hpp>
#include <nexus/secret.hpp>
#include <nexus/status.hpp>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "stop_event.hpp"

namespace nexus::tool {

// No core dump, and no look into the memory by other processes of this user.
// For the commands that hold keys.
void harden_process() noexcept;

// $XDG_CONFIG_HOME/nexus-pipe/identity.txt, or with ~/.config where that is
// unset or relative. io_error where there is no home either.
[[nodiscard]] result<std::string> default_identity_path();

// Files of keys, at most 16 MiB. "-" is standard input. All that read end with
// cancelled where a stop is requested.
[[nodiscard]] result<std::vector<age::identity>> read_identities(
    const std::string& path, const stop_event& stop);
[[nodiscard]] result<std::vector<age::recipient>> read_recipients(
    const std::string& path, const stop_event& stop);

// The default identity's keys; none where its file does not exist.
[[nodiscard]] result<std::vector<age::identity>> read_default_identities(
    const stop_event& stop);

// The first line, without its end. invalid_argument: it is empty.
[[nodiscard]] result<secret_string> read_passphrase(
    const passphrase_source& from, const stop_event& stop);

// 140 random bits as "xxxx-xxxx-...". io_error where there is no randomness.
[[nodiscard]] result<secret_string> make_passphrase();

}  // namespace nexus::tool
