#include "dashboard/cpu_meter.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "files.hpp"

namespace nexus::tool {

cpu_reading parse_cpu(std::string_view line, double ticks) {
  cpu_reading read;
  if (!line.starts_with("cpu ")) return read;
  line = line.substr(4, line.find('\n') - 4);
  // user, nice, system, idle, iowait, irq, softirq, steal. What follows is
  // counted in the first two already.
  for (int field = 0; field < 8; ++field) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    std::uint64_t value = 0;
    const char* end = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data(), end, value);
    if (error != std::errc{}) break;
    line.remove_prefix(static_cast<std::size_t>(stop - line.data()));
    const double seconds = static_cast<double>(value) / ticks;
    read.machine_total += seconds;
    if (field != 3 && field != 4) read.machine_busy += seconds;
  }
  return read;
}

cpu_reading read_cpu() {
  std::array<char, 256> text;
  const descriptor file(::open("/proc/stat", O_RDONLY | O_CLOEXEC));
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  cpu_reading read = parse_cpu(
      {text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))},
      ticks);
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  read.process = static_cast<double>(used.tv_sec) +
                 static_cast<double>(used.tv_nsec) / 1e9;
  return read;
}

}  // namespace nexus::tool
