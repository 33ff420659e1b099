// What an engine and the helper process of a device say to each other. Both are
// of one release (`version`), on one machine, so structs travel as they lie in
// memory. One message is one packet of a SOCK_SEQPACKET socket; its first word
// is its kind.
//
// The control socket, descriptor 3 of the helper: `hello` with a socket for
// each slot, answered by `opened`; then `cancel`, `forget` and `ask_health` one
// way, `log_line` and `health` the other. The helper ends when it is closed. A
// slot's socket: one `job` at a time, answered by `job_step`s, where they are
// asked for, and a `job_result`.
//
// Payload never travels: a job names places in memfds, which come along, once
// each, with the first job that uses them.
#pragma once

#include <nexus/plugin.h>

#include <cstddef>
#include <cstdint>

namespace nexus::isolate {

constexpr std::uint32_t protocol_version = 1;
constexpr int control_descriptor = 3;  // of a helper
constexpr std::size_t max_slots = 64;
constexpr std::size_t max_lanes = 16;
constexpr std::size_t max_processors = 1024;
constexpr std::size_t max_params = 512;
constexpr std::uint32_t max_steps = 1000;  // of a job
constexpr std::size_t max_packet = 32768;

enum class message : std::uint32_t {
  hello = 1,
  opened,
  job,
  job_result,
  cancel,
  forget,
  ask_health,
  health,
  log_line,
  job_step,
};

// What the helper gives up before it serves.
enum class confinement : std::uint32_t { none, device, processor };

struct hello {
  message kind = message::hello;
  std::uint32_t version = protocol_version;
  char release[32] = {};      // of the library: both sides have to be one
  char directory[2048] = {};  // that holds the plugin
  char plugin[64] = {};       // its name
  char requested[64] = {};    // NEXUS_HOST_REQUESTED
  std::uint32_t device_index = 0;
  std::uint32_t lane_count = 0;  // 0: only look for devices, say so, and end
  std::uint32_t slot_count = 0;  // sockets that come along
  confinement confine = confinement::none;
  std::int32_t nice = 0;      // 0: as it is
  std::int32_t io_class = 0;  // as of ioprio_set(2); 0: as it is
  std::int32_t io_level = 0;
  std::int32_t numa_node[max_lanes] = {};
  // Bit masks of logical processors; none: where the process may run.
  std::uint64_t processors[max_lanes][max_processors / 64] = {};
};
static_assert(sizeof(hello) < max_packet);

struct opened {
  message kind = message::opened;
  std::int32_t status = NEXUS_OK;
  char text[256] = {};
};

// A stretch of a memfd that both sides map. id 0: none.
struct place {
  std::uint64_t id = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint32_t writable = 0;    // by the helper
  std::uint32_t descriptor = 0;  // 1: it comes along, in the order of places
};

struct job {
  message kind = message::job;
  std::uint32_t lane = 0;
  std::uint64_t id = 0;
  char operation[48] = {};
  place input;
  place output;
  place tags;
  std::uint32_t params_bytes = 0;
  std::uint32_t tells_steps = 0;
  alignas(8) std::uint8_t params[max_params] = {};  // may hold secrets
};

// As nexus_job.step is called. Each comes after the one before.
struct job_step {
  message kind = message::job_step;
  std::uint32_t step = 0;
  std::uint64_t id = 0;  // of the job
  std::uint32_t steps = 0;
  char name[36] = {};
};

struct job_result {
  message kind = message::job_result;
  std::int32_t status = NEXUS_OK;
  std::uint64_t id = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t error_offset = 0;
  std::uint64_t tags_bytes = 0;
  std::uint64_t device_ns = 0;
  std::uint32_t flags = 0;
  std::uint32_t reserved = 0;
  char text[256] = {};
};

struct cancel {
  message kind = message::cancel;
  std::uint32_t reserved = 0;
  std::uint64_t id = 0;  // of a job
};

struct forget {
  message kind = message::forget;
  std::uint32_t reserved = 0;
  std::uint64_t id = 0;  // of a place: no job uses it any more
};

struct ask_health {
  message kind = message::ask_health;
  std::uint32_t turn = 0;
};

struct health {
  message kind = message::health;
  std::uint32_t turn = 0;
  std::int32_t status = NEXUS_OK;
  std::uint32_t reserved = 0;
  char text[160] = {};
};

struct log_line {
  message kind = message::log_line;
  std::int32_t level = 0;
  char text[1000] = {};
};

}  // namespace nexus::isolate
