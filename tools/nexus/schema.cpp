#include "schema.hpp"

#include <array>

namespace nexus::queue {
namespace {

// What was released is never changed: a new version is a new step.
constexpr const char* first = R"(
CREATE TABLE environments(
  number INTEGER PRIMARY KEY, hash INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX environments_hash ON environments(hash);
CREATE TABLE jobs(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  command TEXT NOT NULL, directory TEXT NOT NULL, name TEXT NOT NULL,
  environment INTEGER NOT NULL REFERENCES environments(number),
  gpus INTEGER NOT NULL, priority INTEGER NOT NULL,
  retries INTEGER NOT NULL, time_limit INTEGER NOT NULL,
  state INTEGER NOT NULL, position INTEGER NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0, gpu TEXT NOT NULL DEFAULT '',
  launcher INTEGER NOT NULL DEFAULT 0,
  launcher_start INTEGER NOT NULL DEFAULT 0,
  boot TEXT NOT NULL DEFAULT '',
  pid INTEGER NOT NULL DEFAULT 0, pgid INTEGER NOT NULL DEFAULT 0,
  session TEXT NOT NULL DEFAULT '',
  added INTEGER NOT NULL, started INTEGER, ended INTEGER,
  exit_status INTEGER, error TEXT NOT NULL DEFAULT '',
  kill_requested INTEGER NOT NULL DEFAULT 0);
CREATE INDEX jobs_state ON jobs(state, priority DESC, position);
CREATE TABLE tallies(state INTEGER PRIMARY KEY, jobs INTEGER NOT NULL);
INSERT INTO tallies VALUES(0,0),(1,0),(2,0),(3,0),(4,0),(5,0),(6,0);
CREATE TRIGGER jobs_added AFTER INSERT ON jobs BEGIN
  UPDATE tallies SET jobs = jobs + 1 WHERE state = NEW.state; END;
CREATE TRIGGER jobs_moved AFTER UPDATE OF state ON jobs BEGIN
  UPDATE tallies SET jobs = jobs - 1 WHERE state = OLD.state;
  UPDATE tallies SET jobs = jobs + 1 WHERE state = NEW.state; END;
CREATE TABLE claims(
  unit TEXT PRIMARY KEY, job INTEGER NOT NULL REFERENCES jobs(number));
CREATE TABLE words(key TEXT PRIMARY KEY, value BLOB NOT NULL);
PRAGMA user_version = 1;
)";

// What jobs wait for, the memory they want, and word of their end. A trigger
// notes each end in the move's own transaction, whoever makes the move.
constexpr const char* second = R"(
ALTER TABLE jobs ADD COLUMN gpu_memory INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN notify INTEGER NOT NULL DEFAULT 0;
CREATE TABLE dependencies(
  job INTEGER NOT NULL REFERENCES jobs(number),
  parent INTEGER NOT NULL REFERENCES jobs(number),
  condition INTEGER NOT NULL, PRIMARY KEY(job, parent)) WITHOUT ROWID;
CREATE INDEX dependencies_parent ON dependencies(parent);
CREATE TABLE endings(
  number INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(number));
CREATE TRIGGER jobs_ended AFTER UPDATE OF state ON jobs
  WHEN NEW.state IN (3,4,5) BEGIN
  INSERT INTO endings(job) VALUES(NEW.number); END;
CREATE TABLE notices(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  job INTEGER NOT NULL REFERENCES jobs(number),
  channel INTEGER NOT NULL, message TEXT NOT NULL, body TEXT NOT NULL,
  made INTEGER NOT NULL, due INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0);
CREATE INDEX notices_due ON notices(channel, due);
PRAGMA user_version = 2;
)";

constexpr std::array<const char*, schema_version> steps = {first, second};

std::int64_t version_of(database& data) {
  statement query = data.prepare("PRAGMA user_version");
  return query.step() ? query.number(0) : 0;
}

}  // namespace

status bring_up_to_date(database& data) {
  for (;;) {
    const auto version = version_of(data);
    if (version == schema_version) return {};
    if (version > schema_version || version < 0) {
      return {status_code::unsupported,
              "the database is of a later version of nexus"};
    }
    transaction making(data);
    if (!making.begun().ok()) return making.begun();
    // Another process may have been faster.
    if (version_of(data) != version) continue;
    const status made = data.execute(steps[static_cast<std::size_t>(version)]);
    if (!made.ok()) return made;
    const status committed = making.commit();
    if (!committed.ok()) return committed;
  }
}

}  // namespace nexus::queue
