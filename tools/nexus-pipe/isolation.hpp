// The options of devices that live in processes of their own.
#pragma once

#include "words.hpp"

namespace nexus::tool {

void add_isolation(option_set& options, isolation_words& into);
[[nodiscard]] isolation_options read_isolation(const isolation_words& from,
                                               word_reader& reader);

}  // namespace nexus::tool
