// Checks the GPU backends on this machine: the program of the bundle that
// scripts/gpu-check makes.
#include <stdlib.h>

#include <cstdio>
#include <fstream>
#include <string_view>

#include "checks.hpp"

namespace {

namespace fs = std::filesystem;

constexpr int no_gpu = 77;
constexpr char usage[] =
    "usage: run [--out FILE] [--with-cpu-devices] [--quick] [--scratch DIR]\n"
    "\n"
    "Runs the tests and benchmarks of the GPU backends on every GPU here, and\n"
    "writes one JSON report.\n"
    "\n"
    "  --out FILE          where the report goes (gpu-check.json)\n"
    "  --with-cpu-devices  OpenCL devices that are processors count too\n"
    "  --quick             less of everything: some seconds\n"
    "  --scratch DIR       for files of some GiB (TMPDIR, /dev/shm or /tmp)\n"
    "\n"
    "Exit status: 0 all passed, 1 something failed, 2 wrong usage, 3 the\n"
    "report could not be written, 77 there is no GPU.\n";

struct arguments {
  gpu_check::settings chosen;
  fs::path out = "gpu-check.json";
  bool wrong = false;
  bool help = false;
};

arguments parse(int count, char** words) {
  arguments made;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const bool has_value = i + 1 < count;
    if (word == "--with-cpu-devices") {
      made.chosen.cpu_devices = true;
    } else if (word == "--quick") {
      made.chosen.quick = true;
    } else if (word == "--help" || word == "-h") {
      made.help = true;
    } else if (word == "--out" && has_value) {
      made.out = words[++i];
    } else if (word == "--scratch" && has_value) {
      made.chosen.scratch = words[++i];
    } else {
      std::fprintf(stderr, "gpu-check: %s is no option, or lacks its value\n",
                   words[i]);
      made.wrong = true;
    }
  }
  return made;
}

// In memory where there is room, so that no disk is timed.
fs::path place_for_files() {
  constexpr std::uint64_t wanted = std::uint64_t{20} << 30;
  if (const char* given = std::getenv("TMPDIR")) return given;
  std::error_code code;
  const fs::space_info memory = fs::space("/dev/shm", code);
  return !code && memory.available > wanted ? "/dev/shm" : "/tmp";
}

}  // namespace

int main(int argc, char** argv) {
  arguments given = parse(argc, argv);
  if (given.wrong || given.help) {
    std::fputs(usage, given.wrong ? stderr : stdout);
    return given.wrong ? 2 : 0;
  }
  std::ofstream out(given.out);
  if (!out) {
    std::fprintf(stderr, "gpu-check: %s could not be written\n",
                 given.out.c_str());
    return 3;
  }
  auto& chosen = given.chosen;
  if (chosen.scratch.empty()) chosen.scratch = place_for_files();
  std::string own = chosen.scratch / "nexus-gpu-check-XXXXXX";
  if (::mkdtemp(own.data()) == nullptr) {
    std::fprintf(stderr, "gpu-check: %s could not be written to\n",
                 chosen.scratch.c_str());
    return 3;
  }
  chosen.scratch = own;
  chosen.bundle = fs::canonical("/proc/self/exe").parent_path().parent_path();
  std::string result = "failed";
  gpu_check::json report;
  try {
    report = gpu_check::checks(chosen).run();
    result = report["result"];
  } catch (const std::exception& wrong) {
    report = {{"result", result}, {"reason", wrong.what()}};
  }
  std::error_code ignored;
  fs::remove_all(chosen.scratch, ignored);
  out << report.dump(2, ' ', false, gpu_check::json::error_handler_t::replace)
      << "\n";
  out.close();
  if (!out) return 3;
  std::fprintf(stderr, "%s; the report is %s\n", result.c_str(),
               given.out.c_str());
  return result == "passed" ? 0 : result == "no gpu" ? no_gpu : 1;
}
