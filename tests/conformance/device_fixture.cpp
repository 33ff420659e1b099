#include "device_fixture.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <thread>

namespace conformance {
namespace {

constexpr std::size_t guard_bytes = 64;
constexpr std::uint8_t guard_value = 0xee;
constexpr auto patience = std::chrono::seconds(60);

std::vector<target>& all_targets() {
  static std::vector<target> all;
  return all;
}

struct open_entry {
  const nexus_backend* backend;
  nexus_device* device;
  std::uint32_t lanes;
};

std::map<std::pair<std::string, std::uint32_t>, open_entry>& open_devices() {
  static std::map<std::pair<std::string, std::uint32_t>, open_entry> all;
  return all;
}

void log_line(void*, std::int32_t, const char*) {}
// Every device is to be tested, also those that are used on request alone.
const void* extension(void*, const char* name) {
  return std::string_view(name) == NEXUS_HOST_REQUESTED ? "*" : nullptr;
}

std::size_t aligned_start(const bytes& memory, std::size_t shift) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  return (64 - address % 64) % 64 + 64 + shift;
}

// Room for as many tags as an age-open job may have, and no more.
std::size_t tag_room(const request& wanted) {
  return wanted.gives_tags
             ? (wanted.input.size() / sealed_chunk + 1) * tag_bytes
             : 0;
}

// Chunks that are to have a tag, as plugin.h says.
std::size_t tagged_chunks(view input, std::uint64_t first_chunk) {
  const std::size_t full = input.size() / sealed_chunk;
  const std::size_t rest = input.size() % sealed_chunk;
  const bool is_first = full == 0 && first_chunk == 0;
  return full + (rest > tag_bytes || (rest == tag_bytes && is_first) ? 1 : 0);
}

}  // namespace

const nexus_host& host() {
  static const nexus_host only = {
      sizeof(nexus_host), NEXUS_ABI_MAJOR, NEXUS_ABI_MINOR, 0, nullptr,
      log_line,           extension};
  return only;
}

const std::vector<target>& targets() {
  return all_targets();
}

void PrintTo(const target& which, std::ostream* out) {
  *out << which.path << " device " << which.index;
}

std::string add_targets(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return dlerror();
  auto entry = reinterpret_cast<nexus_plugin_entry_fn>(
      dlsym(library, NEXUS_PLUGIN_ENTRY_NAME));
  if (entry == nullptr) return "no " NEXUS_PLUGIN_ENTRY_NAME;
  const nexus_plugin* plugin = entry(&host());
  if (plugin == nullptr) return "the entry answered nothing";
  if (plugin->abi_major != NEXUS_ABI_MAJOR) return "another major version";
  if (plugin->backend == nullptr) return "no backend";
  for (std::uint32_t index = 0;; ++index) {
    target found{path, plugin, index, {}};
    found.info.size = sizeof found.info;
    if (plugin->backend->probe(&host(), index, &found.info) != NEXUS_OK) break;
    if (found.info.score > 0) {
      all_targets().push_back(found);
    } else {
      std::printf("%s: device %u is left out: %s\n", path.c_str(), index,
                  found.info.note);
    }
  }
  return {};
}

std::string name_of(const testing::TestParamInfo<target>& info) {
  std::string name = std::string(info.param.plugin->name) + "_" +
                     std::to_string(info.param.index) + "_" +
                     std::to_string(info.index);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

nexus_device* open_device(const target& which, std::uint32_t lanes) {
  nexus_lane lane{};
  lane.size = sizeof lane;
  lane.numa_node = -1;
  const std::vector<const nexus_lane*> all(lanes, &lane);
  nexus_open options{};
  options.size = sizeof options;
  options.device_index = which.index;
  options.lane_count = lanes;
  options.lanes = all.data();
  nexus_error error{};
  error.size = sizeof error;
  nexus_device* device = nullptr;
  const std::int32_t status =
      which.plugin->backend->open(&host(), &options, &device, &error);
  EXPECT_EQ(status, NEXUS_OK) << error.message;
  return status == NEXUS_OK ? device : nullptr;
}

void close_all_devices() {
  for (auto& [key, entry] : open_devices()) entry.backend->close(entry.device);
  open_devices().clear();
}

flight::flight(const request& wanted, std::uint64_t id)
    : wanted_(wanted),
      input_memory_(wanted.input.size() + 256),
      output_memory_(wanted.capacity + 256 + guard_bytes, guard_value),
      tags_(tag_room(wanted) + guard_bytes, guard_value) {
  const std::size_t input_at = aligned_start(input_memory_, wanted.input_shift);
  output_at_ = aligned_start(output_memory_, wanted.output_shift);
  std::copy(wanted.input.begin(), wanted.input.end(),
            input_memory_.begin() + static_cast<std::ptrdiff_t>(input_at));
  job_.size = wanted.job_bytes;
  job_.id = id;
  job_.operation = wanted.operation;
  job_.input = input_memory_.data() + input_at;
  job_.input_bytes = wanted.input.size();
  job_.output = output_memory_.data() + output_at_;
  job_.output_capacity = wanted.capacity;
  job_.params = wanted.params;
  job_.params_bytes = wanted.params_bytes;
  job_.tags_capacity = tag_room(wanted);
  if (job_.tags_capacity != 0) job_.tags = tags_.data();
  if (wanted.tells_steps) {
    job_.step = on_step;
    job_.step_context = this;
  }
  if (wanted.takes_output) {
    job_.drain = on_drain;
    job_.drain_context = this;
  }
}

flight::~flight() = default;

void flight::on_done(void* user, std::uint64_t id, const nexus_result* result) {
  auto* self = static_cast<flight*>(user);
  self->wrong_id_ = id != self->job_.id || result->size < sizeof *result;
  self->result_ = *result;
  // Last, since the waiting thread goes on from here.
  self->done_calls_.fetch_add(1, std::memory_order_release);
}

void flight::on_step(void* user, std::uint32_t step, std::uint32_t steps,
                     const char* name) {
  auto* self = static_cast<flight*>(user);
  self->stepped_late_ = self->stepped_late_ || self->done_calls_ != 0;
  self->steps_.push_back(std::to_string(step) + " of " + std::to_string(steps) +
                         ": " + name);
}

void flight::on_drain(void* user, std::uint64_t made, std::uint32_t flags) {
  auto* self = static_cast<flight*>(user);
  ++self->drain_calls_;
  self->drained_late_ = self->done_calls_ != 0;
  self->drained_flags_ = flags;
  const std::uint64_t there = std::min(made, self->wanted_.capacity);
  self->drained_.assign(self->job_.output, self->job_.output + there);
  self->drained_.resize(made);
}

// At most once, of what the job then said it made.
void flight::check_drained() const {
  if (drain_calls_ == 0) return;
  EXPECT_EQ(drain_calls_, 1);
  EXPECT_FALSE(drained_late_) << "drained after done";
  EXPECT_EQ(result_.status, NEXUS_OK) << "drained what then failed";
  EXPECT_EQ(drained_flags_, result_.flags);
  EXPECT_EQ(drained_.size(), result_.output_bytes);
  EXPECT_TRUE(std::equal(drained_.begin(), drained_.end(), job_.output))
      << "changed the output after it was drained";
}

std::int32_t flight::submit(nexus_device* device,
                            const nexus_backend& backend) {
  return backend.submit(device, wanted_.lane, &job_, on_done, this);
}

outcome flight::wait() {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (done_calls_.load(std::memory_order_acquire) == 0) {
    if (std::chrono::steady_clock::now() > until) {
      ADD_FAILURE() << "done was not called in time";
      std::abort();  // the device may still write to this memory
    }
    std::this_thread::yield();
  }
  EXPECT_FALSE(stepped_late_) << "told a step after done";
  EXPECT_FALSE(wrong_id_) << "done named another job, or a short result";
  outcome end;
  end.accepted = true;
  end.steps = steps_;
  end.status = result_.status;
  end.error_offset = result_.error_offset;
  end.final_chunk = (result_.flags & NEXUS_RESULT_FINAL_CHUNK) != 0;
  const auto begin =
      output_memory_.begin() + static_cast<std::ptrdiff_t>(output_at_);
  const auto room_end = begin + static_cast<std::ptrdiff_t>(wanted_.capacity);
  const auto is_guard = [](std::uint8_t b) { return b == guard_value; };
  EXPECT_TRUE(std::all_of(output_memory_.begin(), begin, is_guard))
      << "wrote before its output";
  EXPECT_TRUE(std::all_of(room_end, output_memory_.end(), is_guard))
      << "wrote past its output";
  EXPECT_TRUE(std::all_of(tags_.end() - guard_bytes, tags_.end(), is_guard))
      << "wrote past the room for tags";
  EXPECT_LE(result_.output_bytes, wanted_.capacity);
  check_drained();
  const std::uint64_t written =
      std::min(result_.output_bytes, wanted_.capacity);
  end.room.assign(begin, room_end);
  end.output.assign(begin, begin + static_cast<std::ptrdiff_t>(written));
  if ((result_.flags & NEXUS_RESULT_TAGS) != 0) compare_tags(end);
  return end;
}

// Does for a device that only computes tags what its host is to do: compares
// them, and opens the first chunk that differs itself.
void flight::compare_tags(outcome& end) {
  end.host_compared = true;
  EXPECT_NE(job_.tags, nullptr) << "tags, but nowhere to put them";
  EXPECT_EQ(end.status, NEXUS_OK) << "tags alone say nothing of the data";
  EXPECT_FALSE(end.final_chunk) << "nor of its end";
  const auto* params = static_cast<const nexus_age_params*>(job_.params);
  const std::size_t chunks = tagged_chunks(wanted_.input, params->first_chunk);
  EXPECT_EQ(result_.tags_bytes, chunks * tag_bytes);
  const bool last = (params->flags & NEXUS_AGE_LAST) != 0;
  age_key key;
  std::copy(std::begin(params->key), std::end(params->key), key.begin());
  std::size_t written = 0;
  for (std::size_t at = 0, i = 0; at < wanted_.input.size(); ++i) {
    const view sealed = wanted_.input.subspan(
        at, std::min(sealed_chunk, wanted_.input.size() - at));
    const bool full = sealed.size() == sealed_chunk;
    const bool ends = at + sealed.size() == wanted_.input.size();
    bool is_final = !full || (last && ends);
    const std::uint64_t number = params->first_chunk + i;
    bool good =
        sealed.size() >= tag_bytes && i < chunks &&
        (i + 1) * tag_bytes <= result_.tags_bytes &&
        (sealed.size() > tag_bytes || number == 0) &&
        std::memcmp(tags_.data() + i * tag_bytes,
                    sealed.data() + sealed.size() - tag_bytes, tag_bytes) == 0;
    if (!good && full) {
      is_final = !is_final;
      const auto text =
          aead_open(key, chunk_nonce(number, is_final), {}, sealed);
      good = text.has_value();
      if (good) {
        std::copy(text->begin(), text->end(),
                  end.room.begin() + static_cast<std::ptrdiff_t>(written));
      }
    }
    if (!good) {
      end.status = NEXUS_E_DATA;
      end.error_offset = at;
      break;
    }
    at += sealed.size();
    written += sealed.size() - tag_bytes;
    if (written > end.output.size()) {
      ADD_FAILURE() << "claims less output than it has tags";
      break;
    }
    end.final_chunk = is_final;
    if (is_final) break;
  }
  end.output.assign(end.room.begin(),
                    end.room.begin() + static_cast<std::ptrdiff_t>(written));
}

void DeviceTest::SetUp() {
  const target& which = GetParam();
  auto& slot = open_devices()[{which.path, which.index}];
  if (slot.device == nullptr) {
    const std::uint32_t most = which.info.max_lanes;
    slot = {which.plugin->backend, nullptr,
            most == 0 ? 4 : std::min<std::uint32_t>(4, most)};
    slot.device = open_device(which, slot.lanes);
  }
  device_ = slot.device;
  lanes_ = slot.lanes;
  if (device_ == nullptr) open_devices().erase({which.path, which.index});
  ASSERT_NE(device_, nullptr);
}

bool DeviceTest::runs(const char* operation) const {
  nexus_caps caps{};
  caps.size = sizeof caps;
  return backend().caps(GetParam().index, operation, &caps) == NEXUS_OK;
}

outcome DeviceTest::run(const request& wanted) {
  request offered = wanted;
  nexus_caps caps{};
  caps.size = sizeof caps;
  const bool known =
      wanted.operation != nullptr &&
      backend().caps(GetParam().index, wanted.operation, &caps) == NEXUS_OK;
  offered.takes_output = known && (caps.flags & NEXUS_CAPS_DRAINS) != 0;
  flight one(offered, next_id());
  const std::int32_t answer = one.submit(device(), backend());
  if (answer == NEXUS_OK) return one.wait();
  EXPECT_NE(answer, NEXUS_E_BUSY) << "an idle lane has room";
  outcome refused;
  refused.status = answer;
  return refused;
}

nexus_age_params age_params(const age_key& key, std::uint64_t first_chunk,
                            bool last) {
  nexus_age_params params{};
  params.size = sizeof params;
  params.flags = last ? +NEXUS_AGE_LAST : 0u;
  params.first_chunk = first_chunk;
  std::copy(key.begin(), key.end(), params.key);
  return params;
}

request age_request(const char* operation, view input,
                    const nexus_age_params& params) {
  request wanted;
  wanted.operation = operation;
  wanted.input = input;
  wanted.params = &params;
  wanted.params_bytes = sizeof params;
  const bool seals = std::strcmp(operation, NEXUS_JOB_AGE_SEAL) == 0;
  if (seals) {
    const std::size_t chunks = std::max<std::size_t>(
        1, (input.size() + plain_chunk - 1) / plain_chunk);
    wanted.capacity = input.size() + chunks * tag_bytes;
  } else {
    const std::size_t rest = input.size() % sealed_chunk;
    wanted.capacity = input.size() / sealed_chunk * plain_chunk +
                      (rest > tag_bytes ? rest - tag_bytes : 0);
  }
  return wanted;
}

}  // namespace conformance
