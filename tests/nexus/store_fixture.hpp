// A store in a folder of its own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include "config.hpp"
#include "files.hpp"
#include "store.hpp"
#include "sync.hpp"

namespace nexus::queue {

class store_fixture : public testing::Test {
 protected:
  store_fixture() {
    char name[] = "/tmp/nexus-store-XXXXXX";
    where_.root = ::mkdtemp(name);
    auto opened = store::open(where_.database());
    EXPECT_TRUE(opened.ok());
    jobs_ = std::make_unique<store>(std::move(opened).value());
    values_ = default_config(where_);
  }
  ~store_fixture() override {
    jobs_.reset();
    std::filesystem::remove_all(where_.root);
  }

  job add(const std::string& command, std::int64_t priority = 0,
          std::int64_t retries = 0) {
    job_request request;
    request.command = command;
    request.directory = "/";
    request.environment = std::string("A=1\0", 4);
    request.priority = priority;
    request.retries = retries;
    return *jobs_->add(request);
  }
  job add_after(const std::string& command,
                const std::vector<dependency>& after) {
    job_request request;
    request.command = command;
    request.directory = "/";
    request.after = after;
    return *jobs_->add(request);
  }
  job end(const job& which, job_state state) {
    EXPECT_TRUE(*jobs_->finish(start(which), {state, 1, ""}));
    return now(which);
  }
  job now(const job& which) { return *jobs_->find(which.id); }
  job start(const job& which, const char* unit = "GPU-a") {
    EXPECT_TRUE(*jobs_->assign(which, {{unit, "0"}}));
    const job made = now(which);
    EXPECT_TRUE(*jobs_->run(made, identify(::getpid()), 5, 5, "s"));
    return now(which);
  }
  std::string queue() {
    std::string text;
    const auto queued = jobs_->list({job_state::queued});
    for (const job& which : *queued) {
      text += which.asked.command + ";";
    }
    return text;
  }
  sync_report sync() { return sync_jobs_file(where_, *jobs_, values_); }
  void put(const std::string& text) {
    EXPECT_TRUE(replace_file(values_.jobs_file, text).ok());
  }
  std::string file() { return *read_file(values_.jobs_file); }

  home where_;
  config values_;
  std::unique_ptr<store> jobs_;
};

}  // namespace nexus::queue
