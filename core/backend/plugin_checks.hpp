// What a plugin must be like to be loaded, before and after its code has run.
// Every refusal is `unsupported`, with the reason as its message.
#pragma once

#include <nexus/plugin.h>
#include <sys/types.h>

#include <nexus/status.hpp>
#include <string>
#include <utility>

#include "backend/plugin_loader.hpp"

namespace nexus {

// [a-z0-9-]+; NULL is none.
[[nodiscard]] bool is_plugin_name(const char* name);

// The same for every path to one file, and for no other file as long as it is
// mapped.
using file_id = std::pair<dev_t, ino_t>;

// What may not be loaded at all is found out before any code of it runs.
[[nodiscard]] result<file_id> check_plugin_file(const std::string& path);

// A directory from which no code is loaded: anyone could put some there.
[[nodiscard]] bool directory_is_open_to_all(const std::string& path);

// Checks what an entry function returned, and copies its tables.
[[nodiscard]] result<loaded_plugin> check_plugin(const nexus_plugin* plugin,
                                                 const std::string& path);

}  // namespace nexus
