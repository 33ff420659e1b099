// SQLite, as much of it as the store needs.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nexus/status.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace nexus::queue {

// One prepared statement and its run. The first error stays; all that follows
// does nothing.
class statement {
 public:
  statement(sqlite3* handle, std::string_view sql);

  // In the order of the question marks.
  statement& bind(std::int64_t value);
  statement& bind(std::string_view text);
  statement& bind_blob(std::string_view bytes);
  statement& bind(const std::optional<std::int64_t>& value);

  // True: a row is there to be read.
  [[nodiscard]] bool step();
  // To the end, rows dropped.
  [[nodiscard]] status run();
  // What went wrong so far.
  [[nodiscard]] status failure() const;

  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::optional<std::int64_t> optional_number(int column) const;
  [[nodiscard]] std::string text(int column) const;

 private:
  struct finalizer {
    void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
  };
  sqlite3* handle_;
  std::unique_ptr<sqlite3_stmt, finalizer> statement_;
  int bound_ = 0;
  int code_ = SQLITE_OK;
  std::string message_;
};

// A connection; for one thread. Every commit is on the disk when it returns.
class database {
 public:
  [[nodiscard]] static result<database> open(const std::filesystem::path& path);

  [[nodiscard]] status execute(const char* sql);
  [[nodiscard]] statement prepare(std::string_view sql) {
    return {handle_.get(), sql};
  }
  [[nodiscard]] bool in_transaction() const {
    return sqlite3_get_autocommit(handle_.get()) == 0;
  }
  // Rows that the last statement changed.
  [[nodiscard]] int changes() const { return sqlite3_changes(handle_.get()); }
  [[nodiscard]] std::int64_t last_row() const {
    return sqlite3_last_insert_rowid(handle_.get());
  }

 private:
  struct closer {
    void operator()(sqlite3* handle) const noexcept {
      sqlite3_close_v2(handle);
    }
  };
  std::unique_ptr<sqlite3, closer> handle_;
};

// A transaction that writes; undone unless it is committed. Inside another it
// is a part of that one, which has to give up where the part fails.
class transaction {
 public:
  explicit transaction(database& data)
      : data_(data), inner_(data.in_transaction()) {
    if (!inner_) begun_ = data.execute("BEGIN IMMEDIATE");
  }
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;
  ~transaction();

  [[nodiscard]] const status& begun() const noexcept { return begun_; }
  [[nodiscard]] status commit();

 private:
  database& data_;
  bool inner_;
  status begun_;
  bool done_ = false;
};

}  // namespace nexus::queue
