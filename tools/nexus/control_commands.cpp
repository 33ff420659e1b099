// Status, start, stop, restart, pause, resume.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "commands.hpp"
#include "screen.hpp"
#include "service_control.hpp"
#include "status_view.hpp"
#include "sync.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

constexpr std::size_t most_reasons = 20;

status gather_reasons(context& all, status_facts& facts) {
  const auto known = gather_queue_facts(all);
  if (!known) return known.error();
  const auto queue = all.jobs.list({job_state::queued}, most_reasons);
  if (!queue) return queue.error();
  for (const job& which : *queue) {
    facts.waiting.emplace_back(which, reason_of(which, *known).text);
  }
  return {};
}

result<status_facts> gather(context& all, bool why) {
  status_facts facts;
  const auto counts = all.jobs.counts();
  auto active = all.jobs.list({job_state::starting, job_state::running});
  auto claims = all.jobs.claims();
  if (!counts) return counts.error();
  if (!active) return active.error();
  if (!claims) return claims.error();
  facts.counts = *counts;
  facts.active = std::move(active).value();
  facts.claims = std::move(claims).value();
  facts.paused = all.jobs.word("paused") == "yes";
  facts.snapshot = unpack(all.jobs.word("gpus"));
  facts.cpu_slots = all.values.cpu_slots;
  facts.now = now_ms();
  if (why) {
    if (status failed = gather_reasons(all, facts); !failed.ok()) return failed;
  }
  return facts;
}

int set_paused(context& all, bool paused) {
  if ((all.jobs.word("paused") == "yes") == paused) {
    return complain(
        {status_code::invalid_argument,
         paused ? "the queue is paused already" : "the queue is not paused"});
  }
  const status set = all.jobs.set_word("paused", paused ? "yes" : "no");
  if (!set.ok()) return complain(set);
  say(paused ? "Queue paused" : "Queue resumed");
  return 0;
}

}  // namespace

result<queue_facts> gather_queue_facts(context& all) {
  queue_facts facts;
  auto unmet = all.jobs.unmet_dependencies();
  if (!unmet) return unmet.error();
  facts.unmet = std::move(unmet).value();
  facts.service_runs = running_service(all.where).process.pid != 0;
  facts.paused = all.jobs.word("paused") == "yes";
  facts.has_screen = check_screen().ok();
  facts.snapshot = unpack(all.jobs.word("gpus"));
  facts.cpu_slots = all.values.cpu_slots;
  return facts;
}

int complain(const status& failure) {
  const style colors = style_for(STDERR_FILENO);
  std::fprintf(stderr, "nexus: %s\n",
               colors(paint::error, failure.message()).c_str());
  if (!failure.hint().empty()) {
    std::fprintf(stderr, "nexus: hint: %s\n", failure.hint().c_str());
  }
  return 1;
}

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
}

result<context> open_context() {
  auto where = open_home();
  if (!where) return where.error();
  auto jobs = store::open(where->database());
  if (!jobs) return jobs.error();
  auto loaded = load_config(*where);
  if (!loaded) return loaded.error();
  for (const auto& problem : loaded->problems) {
    std::fprintf(stderr, "nexus: config.toml, %s\n", problem.c_str());
  }
  return context{std::move(where).value(), std::move(jobs).value(),
                 std::move(loaded->values)};
}

void refresh_jobs_file(context& all) {
  const auto here = request_from_here(all.values);
  const auto report = sync_jobs_file(all.where, all.jobs, all.values, &here);
  for (const auto& line : report.messages) {
    std::fprintf(stderr, "nexus: %s\n", line.c_str());
  }
  if (!report.failure.ok()) complain(report.failure);
}

int show_status(context& all, const arguments& given) {
  const auto started = ensure_service(all.where, all.jobs);
  if (!started) complain(started.error());
  if (started && *started) std::fprintf(stderr, "nexus: service started\n");
  const auto facts = gather(all, given.why);
  if (!facts) return complain(facts.error());
  const std::string text =
      given.json ? show_json(status_json(*facts))
                 : render_status(*facts, style_for(STDOUT_FILENO), given.why);
  std::fputs(text.c_str(), stdout);
  return started ? 0 : 1;
}

int start_command(context& all, const arguments&) {
  const auto started = ensure_service(all.where, all.jobs);
  if (!started) return complain(started.error());
  if (!*started) {
    return complain(
        {status_code::invalid_argument, "the service runs already"});
  }
  say("Service started");
  return 0;
}

int stop_command(context& all, const arguments&) {
  const auto active = all.jobs.list({job_state::starting, job_state::running});
  // Jobs that a service left behind when it crashed are ended by the next.
  if (active && !active->empty()) {
    const auto started = ensure_service(all.where, all.jobs);
    if (!started) return complain(started.error());
  }
  const status ended = end_service(all.where, all.jobs, true);
  if (!ended.ok()) return complain(ended);
  say("Service stopped");
  return 0;
}

int restart_command(context& all, const arguments&) {
  if (running_service(all.where).process.pid != 0) {
    const status ended = end_service(all.where, all.jobs, false);
    if (!ended.ok()) return complain(ended);
  }
  const auto started = ensure_service(all.where, all.jobs);
  if (!started) return complain(started.error());
  say("Service restarted");
  return 0;
}

int pause_command(context& all, const arguments&) {
  return set_paused(all, true);
}

int resume_command(context& all, const arguments&) {
  return set_paused(all, false);
}

}  // namespace nexus::queue
