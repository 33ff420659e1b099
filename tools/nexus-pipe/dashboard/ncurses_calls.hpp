// The functions of ncurses that are used here, looked up at run time: a run
// without a dashboard does not load the library.
#pragma once

#define NCURSES_NOMACROS 1
#include <ncurses.h>

namespace nexus::tool {

struct ncurses_calls {
  decltype(::newterm)* newterm;
  decltype(::delscreen)* delscreen;
  decltype(::endwin)* endwin;
  decltype(::cbreak)* cbreak;
  decltype(::noecho)* noecho;
  decltype(::curs_set)* curs_set;
  decltype(::has_colors)* has_colors;
  decltype(::start_color)* start_color;
  decltype(::use_default_colors)* use_default_colors;
  decltype(::init_pair)* init_pair;
  decltype(::resizeterm)* resizeterm;
  decltype(::werase)* werase;
  decltype(::wmove)* wmove;
  decltype(::wattrset)* wattrset;
  decltype(::waddnstr)* waddnstr;
  decltype(::clearok)* clearok;
  decltype(::wrefresh)* wrefresh;
  WINDOW** stdscr;
  // Of term.h, which defines hundreds of plain words as macros.
  int (*setupterm)(const char* name, int fd, int* error);
  char* (*tigetstr)(const char* name);
};

// Null: the library is not installed, or lacks something. Never unloaded.
[[nodiscard]] const ncurses_calls* load_ncurses() noexcept;

}  // namespace nexus::tool
