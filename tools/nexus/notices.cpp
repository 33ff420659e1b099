#include "notices.hpp"

#include <fmt/format.h>

#include "ids.hpp"
#include "status_view.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

constexpr std::size_t message_length = 22;  // more than 128 bits in base58

bool is_wanted(const job& ended, const config& values) {
  const notify_on when = ended.asked.notify == notify_on::configured
                             ? values.notify.on
                             : ended.asked.notify;
  if (when == notify_on::finished) return true;
  return when == notify_on::failed && ended.state == job_state::failed;
}

std::string body_of(const job& ended) {
  const nlohmann::json body = {
      {"type", fmt::format("job.{}", name_of(ended.state))},
      {"timestamp", show_utc(ended.ended.value_or(now_ms()))},
      {"data", job_json(ended)}};
  // In ASCII: what is signed is what arrives, whatever stands in between.
  return body.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::vector<notice> notices_of(const job& ended, const config& values) {
  std::vector<notice> made;
  if (!is_wanted(ended, values)) return made;
  const auto put = [&](channel by, std::string body) {
    notice one;
    one.job = ended.id;
    one.by = by;
    one.message = "msg_" + random_letters(message_length);
    one.body = std::move(body);
    one.due = now_ms();
    made.push_back(std::move(one));
  };
  if (!values.notify.command.empty()) put(channel::command, {});
  if (!values.notify.webhook.empty()) put(channel::webhook, body_of(ended));
  return made;
}

std::vector<std::string> notice_environment(const job& ended) {
  const auto number = [](const std::optional<std::int64_t>& value) {
    return value ? std::to_string(*value) : std::string();
  };
  const auto runtime = runtime_of(ended, 0) / 1000;
  return {"NEXUS_JOB_ID=" + ended.id,
          "NEXUS_JOB_NAME=" + ended.asked.name,
          fmt::format("NEXUS_JOB_STATE={}", name_of(ended.state)),
          "NEXUS_JOB_COMMAND=" + ended.asked.command,
          "NEXUS_JOB_DIRECTORY=" + ended.asked.directory,
          "NEXUS_JOB_ERROR=" + ended.error,
          fmt::format("NEXUS_JOB_SECONDS={}", runtime),
          "NEXUS_EXIT_STATUS=" + number(ended.exit_status),
          "NEXUS_GPU_ID=" + ended.gpu};
}

}  // namespace nexus::queue
