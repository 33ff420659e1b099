// encrypt-file RECIPIENT IN OUT: encrypts a file to a public key, with a
// progress bar of its own.
#include <cstdio>
#include <nexus/age.hpp>
#include <nexus/engine.hpp>
#include <utility>

namespace {

// Called on a thread of the engine's, about ten times a second.
void draw(const nexus::telemetry& now) {
  constexpr int width = 40;
  constexpr char bar[] = "########################################";
  if (!now.input_total_bytes || *now.input_total_bytes == 0) return;
  const double part = static_cast<double>(now.input_bytes) /
                      static_cast<double>(*now.input_total_bytes);
  std::fprintf(stderr, "\r[%-*.*s] %3.0f %%", width,
               static_cast<int>(part * width), bar, part * 100);
}

int fail(const nexus::status& why) {
  std::fprintf(stderr, "encrypt-file: %s\n", why.message().c_str());
  return why.kind() == nexus::error_kind::environment ? 3 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: encrypt-file RECIPIENT IN OUT\n");
    return 2;
  }
  auto to = nexus::age::recipient::parse(argv[1]);
  if (!to) return fail(to.error());
  auto from = nexus::source::from_file(argv[2]);
  if (!from) return fail(from.error());

  nexus::age::encrypt_options keys;
  keys.recipients.push_back(*to);
  const auto work = nexus::age::make_encrypt(std::move(keys));

  nexus::engine engine;
  nexus::run_options options;
  options.progress = draw;
  const nexus::run_report report =
      engine.run(*work, *std::move(from), nexus::sink::to_file(argv[3]),
                 std::move(options));
  draw(report.statistics);
  std::fputc('\n', stderr);
  return report.outcome.ok() ? 0 : fail(report.outcome);
}
