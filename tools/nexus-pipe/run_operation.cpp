#include <memory>
#include <utility>

#include "commands.hpp"

namespace nexus::tool {

int run_operation(const operation_arguments& arguments, terminal& out) {
  signal_watch signals([&out] { out.restore(); });
  result<stream_pair> streams =
      open_streams(arguments.stream, terminal_output::text_only);
  if (!streams) return fail(out, streams.error());
  run_watch watch(out);
  if (status s = watch.open(arguments.stream); !s.ok()) return fail(out, s);
  engine worker(engine_for(arguments.stream, out));
  const result<std::unique_ptr<operation>> work =
      worker.make_operation(arguments.name, arguments.settings);
  if (!work) return fail(out, work.error(), signals.caught());
  const status outcome = run_stream(worker, **work, *std::move(streams),
                                    arguments.stream, out, signals, watch);
  return outcome.ok() ? 0 : fail(out, outcome, signals.caught());
}

}  // namespace nexus::tool
