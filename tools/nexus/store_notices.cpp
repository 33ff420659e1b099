// Word of jobs that ended, until it has been passed on.
#include <fmt/format.h>

#include "store.hpp"
#include "times.hpp"

namespace nexus::queue {

result<std::vector<ending>> store::endings() {
  statement query = data_.prepare(
      "SELECT e.number, j.id FROM endings e JOIN jobs j ON j.number = e.job "
      "ORDER BY e.number LIMIT 100");
  std::vector<std::pair<std::int64_t, std::string>> rows;
  while (query.step()) rows.emplace_back(query.number(0), query.text(1));
  if (const status failure = query.failure(); !failure.ok()) return failure;
  std::vector<ending> found;
  for (const auto& [number, id] : rows) {
    auto which = find(id);
    if (!which) return which.error();
    found.push_back({number, std::move(which).value()});
  }
  return found;
}

status store::settle(const ending& end, const std::vector<notice>& notices) {
  const auto settled = make_move("settle", [&]() -> result<bool> {
    statement strike = data_.prepare("DELETE FROM endings WHERE number = ?");
    strike.bind(end.number);
    auto struck = changed(strike);
    if (!struck || !*struck) return struck;
    for (const notice& one : notices) {
      const status kept =
          data_
              .prepare(
                  "INSERT INTO notices(job, channel, message, body, made, due) "
                  "VALUES(?, ?, ?, ?, ?, ?)")
              .bind(end.which.number)
              .bind(static_cast<std::int64_t>(one.by))
              .bind(one.message)
              .bind(one.body)
              .bind(now_ms())
              .bind(one.due)
              .run();
      if (!kept.ok()) return kept;
    }
    return true;
  });
  return settled ? status() : settled.error();
}

result<std::optional<notice>> store::next_notice(channel by) {
  statement query = data_.prepare(
      "SELECT n.number, j.id, n.message, n.body, n.due, n.attempts FROM "
      "notices n JOIN jobs j ON j.number = n.job WHERE n.channel = ? ORDER BY "
      "n.due, n.number LIMIT 1");
  query.bind(static_cast<std::int64_t>(by));
  if (!query.step()) {
    const status failure = query.failure();
    if (!failure.ok()) return failure;
    return std::optional<notice>();
  }
  notice found;
  found.number = query.number(0);
  found.job = query.text(1);
  found.by = by;
  found.message = query.text(2);
  found.body = query.text(3);
  found.due = query.number(4);
  found.attempts = query.number(5);
  return std::optional<notice>(std::move(found));
}

status store::put_off(const notice& which, std::int64_t due) {
  return data_
      .prepare(
          "UPDATE notices SET due = ?, attempts = attempts + 1 WHERE number = "
          "?")
      .bind(due)
      .bind(which.number)
      .run();
}

status store::strike_off(const notice& which) {
  return data_.prepare("DELETE FROM notices WHERE number = ?")
      .bind(which.number)
      .run();
}

}  // namespace nexus::queue
