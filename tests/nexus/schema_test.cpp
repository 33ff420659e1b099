// Databases as earlier versions left them. The tables are copied here as they
// were, so that no change of the program changes them too.
#include "schema.hpp"

#include <atomic>
#include <thread>

#include "store_fixture.hpp"

namespace nexus::queue {
namespace {

constexpr const char* version_1 = R"(
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
INSERT INTO environments VALUES(1, 7, x'413D3100');
INSERT INTO jobs(id, command, directory, name, environment, gpus, priority,
  retries, time_limit, state, position, attempt, gpu, added, exit_status)
VALUES ('abc', 'true', '/', '', 1, 1, 0, 0, 0, 3, 1, 1, '0', 5, 0),
       ('abd', 'sleep 9', '/', 'n', 1, 1, 0, 2, 60, 2, 2, 1, '0', 6, NULL),
       ('abe', 'false', '/', '', 1, 2, 4, 0, 0, 0, 3, 0, '', 7, NULL);
INSERT INTO claims VALUES('GPU-a', 2);
INSERT INTO words VALUES('paused', 'yes');
)";

class Schema : public store_fixture {
 protected:
  std::filesystem::path old() { return where_.root / "old.db"; }
  void make_old() {
    auto made = database::open(old());
    ASSERT_TRUE(made->execute(version_1).ok());
  }
};

TEST_F(Schema, JobsOfTheFirstVersionAreAllThere) {
  make_old();
  auto jobs = store::open(old());
  ASSERT_TRUE(jobs.ok()) << jobs.error().message();
  EXPECT_EQ(jobs->find("abc")->state, job_state::completed);
  const job running = *jobs->find("abd");
  EXPECT_EQ(running.state, job_state::running);
  EXPECT_EQ(running.asked.retries, 2);
  EXPECT_EQ(running.asked.gpu_memory, 0);
  EXPECT_EQ(running.asked.notify, notify_on::configured);
  EXPECT_EQ(*jobs->environment_of(running), std::string("A=1\0", 4));
  EXPECT_EQ(jobs->claims()->size(), 1u);
  EXPECT_EQ(jobs->counts()->queued, 1);
  EXPECT_EQ(jobs->word("paused"), "yes");
  EXPECT_TRUE(jobs->endings()->empty());
}

TEST_F(Schema, JobsOfTheFirstVersionCanBeWaitedForAndEnd) {
  make_old();
  auto jobs = store::open(old());
  job_request request;
  request.command = "after";
  request.gpu_memory = 100;
  request.after = {{"abd"}};
  const auto added = jobs->add(request);
  ASSERT_TRUE(added.ok());
  EXPECT_EQ(added->number, 4);
  EXPECT_TRUE(*jobs->finish(*jobs->find("abd"), {job_state::killed, 143, ""}));
  EXPECT_EQ(jobs->find(added->id)->state, job_state::failed);
  EXPECT_EQ(jobs->endings()->size(), 2u);
}

TEST_F(Schema, BothWaysLeadToTheSameTables) {
  make_old();
  ASSERT_TRUE(store::open(old()).ok());
  const auto tables = [](const std::filesystem::path& path) {
    auto data = database::open(path);
    statement query = data->prepare(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name");
    std::string all;
    while (query.step()) all += query.text(0) + "\n";
    return all;
  };
  EXPECT_EQ(tables(old()), tables(where_.database()));
}

TEST_F(Schema, ManyAtATimeBringItUpToDateOnce) {
  make_old();
  std::vector<std::thread> threads;
  std::atomic<int> opened = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto jobs = store::open(old());
      if (jobs.ok()) ++opened;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(opened, 8);
}

}  // namespace
}  // namespace nexus::queue
