#include "dashboard/ncurses_calls.hpp"

#include <dlfcn.h>

namespace nexus::tool {
namespace {

class finder {
 public:
  explicit finder(void* library) : library_(library) {}
  template <class T>
  finder& operator()(const char* name, T& into) {
    void* found = library_ == nullptr ? nullptr : ::dlsym(library_, name);
    into = reinterpret_cast<T>(found);
    all_ = all_ && found != nullptr;
    return *this;
  }
  [[nodiscard]] bool all() const noexcept { return all_; }

 private:
  void* library_;
  bool all_ = true;
};

}  // namespace

const ncurses_calls* load_ncurses() noexcept {
  static ncurses_calls calls;
  // The terminal's own functions may live in a library that this one needs.
  finder find(::dlopen("libncursesw.so.6", RTLD_NOW | RTLD_LOCAL));
  find("newterm", calls.newterm)("delscreen", calls.delscreen)(
      "endwin", calls.endwin)("cbreak", calls.cbreak)("noecho", calls.noecho)(
      "curs_set", calls.curs_set)("has_colors", calls.has_colors)(
      "start_color", calls.start_color)("use_default_colors",
                                        calls.use_default_colors)(
      "init_pair", calls.init_pair)("resizeterm", calls.resizeterm)(
      "werase", calls.werase)("wmove", calls.wmove)("wattrset", calls.wattrset)(
      "waddnstr", calls.waddnstr)("clearok", calls.clearok)(
      "wrefresh", calls.wrefresh)("stdscr", calls.stdscr)(
      "setupterm", calls.setupterm)("tigetstr", calls.tigetstr);
  return find.all() ? &calls : nullptr;
}

}  // namespace nexus::tool
