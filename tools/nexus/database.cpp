#include "database.hpp"

#include <fmt/format.h>

namespace nexus::queue {
namespace {

constexpr int busy_milliseconds = 10000;

status failure_of(int code, const char* message) {
  if (code == SQLITE_OK) return {};
  std::string hint;
  if ((code & 0xff) == SQLITE_FULL) hint = "make room on the disk";
  if ((code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT) {
    return {status_code::invalid_data,
            fmt::format("the database is damaged: {}", message),
            "move queue.db away and start anew, or restore a copy of it"};
  }
  return {status_code::io_error, fmt::format("database: {}", message),
          std::move(hint)};
}

}  // namespace

statement::statement(sqlite3* handle, std::string_view sql) : handle_(handle) {
  sqlite3_stmt* made = nullptr;
  code_ = sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()),
                             &made, nullptr);
  statement_.reset(made);
  if (code_ != SQLITE_OK) message_ = sqlite3_errmsg(handle);
}

statement& statement::bind(std::int64_t value) {
  if (code_ == SQLITE_OK) {
    code_ = sqlite3_bind_int64(statement_.get(), ++bound_, value);
  }
  return *this;
}

statement& statement::bind(const std::optional<std::int64_t>& value) {
  if (value) return bind(*value);
  ++bound_;  // unbound is NULL
  return *this;
}

statement& statement::bind(std::string_view text) {
  if (code_ == SQLITE_OK) {
    code_ = sqlite3_bind_text64(statement_.get(), ++bound_, text.data(),
                                text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  return *this;
}

statement& statement::bind_blob(std::string_view bytes) {
  if (code_ == SQLITE_OK) {
    code_ = sqlite3_bind_blob64(statement_.get(), ++bound_, bytes.data(),
                                bytes.size(), SQLITE_TRANSIENT);
  }
  return *this;
}

bool statement::step() {
  if (code_ != SQLITE_OK) return false;
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    code_ = code;
    message_ = sqlite3_errmsg(handle_);
  }
  return false;
}

status statement::run() {
  while (step()) {
  }
  return failure();
}

status statement::failure() const {
  return failure_of(code_, message_.c_str());
}

std::int64_t statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::optional<std::int64_t> statement::optional_number(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return {};
  return number(column);
}

std::string statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

result<database> database::open(const std::filesystem::path& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &handle,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
      nullptr);
  database made;
  made.handle_.reset(handle);
  if (code != SQLITE_OK) {
    return status(status_code::io_error,
                  fmt::format("cannot open {}: {}", path.string(),
                              handle != nullptr ? sqlite3_errmsg(handle)
                                                : sqlite3_errstr(code)));
  }
  sqlite3_busy_timeout(handle, busy_milliseconds);
  const status set = made.execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
      "PRAGMA foreign_keys=ON");
  if (!set.ok()) return set;
  return made;
}

status database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  return failure_of(code,
                    code == SQLITE_OK ? "" : sqlite3_errmsg(handle_.get()));
}

transaction::~transaction() {
  if (begun_.ok() && !done_ && !inner_)
    static_cast<void>(data_.execute("ROLLBACK"));
}

status transaction::commit() {
  if (inner_) return {};
  status committed = data_.execute("COMMIT");
  done_ = committed.ok();
  return committed;
}

}  // namespace nexus::queue
