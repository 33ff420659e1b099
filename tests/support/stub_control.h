/* How a test steers the stub plugin: backend->get_extension(
 * NEXUS_STUB_CONTROL) answers a const nexus_stub_control *, and the environment
 * variable NEXUS_STUB, read once by nexus_plugin_entry(), holds settings in the
 * same words. All of it may be called from any thread. */
#ifndef NEXUS_TESTS_STUB_CONTROL_H
#define NEXUS_TESTS_STUB_CONTROL_H

#include <nexus/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NEXUS_STUB_CONTROL "nexus.stub.control"

/* Settings: `[WHICH.]KEY=VALUE`, parted by `;`. WHICH is cpu, gpu, cpu0, gpu1 …
 * and limits the setting to those devices; without it, it holds for all. A
 * setting on one device stands until it is set again or reset.
 *
 * of the plugin (no WHICH):
 *   cpus=N gpus=N     devices; cpus come first (default 1 and 0; 16 at most)
 * of a device, read when the device is probed, asked or opened:
 *   score=N           default 50 for a CPU, 100 for a GPU; 0: cannot run
 *   depth=N           jobs a lane holds (default 2)
 *   max_lanes=N       default 0: any number
 *   memory=BYTES      default 0
 *   min_bytes=N max_bytes=N preferred_bytes=N scratch_bytes=N alignment=N
 *   pci=TEXT          default empty
 *   on_request=0|1
 *   import=0|1        whether caps ask for imported buffers
 *   import_code=CODE  import_buffer() answers this
 *   drains=0|1        whether it writes its output itself where it may
 *   tags=0|1          age-open leaves comparing to the host where it may
 *   operations=A,B    those it can run; default all
 *   open_code=CODE    open() answers this
 * of a device, read at each job; jobs are counted from 1 as they are accepted:
 *   fail=WHEN         the job fails with `code`, its output half written
 *   code=CODE         default DEVICE
 *   busy=WHEN         submit() answers NEXUS_E_BUSY; counts calls of submit()
 *   refuse=WHEN       submit() answers `code`; counts calls of submit()
 *   corrupt=WHEN      one bit of the output is flipped, the result says OK
 *   garbage=WHEN      all of the output is overwritten, the result says OK
 *   room=N            of jobs at work at one time on all devices, those beyond
 *                     N fail with NO_MEMORY (default 0: no limit)
 *   regret=WHEN       the job is done, drained too, and then fails with `code`
 *   lost=WHEN         the device is lost from this job on: jobs and health()
 *                     answer NEXUS_E_LOST until it is reset
 *   delay_us=N        before the job runs; cancel() ends it
 *   jitter_us=N       up to this much more, the same series every time
 *   crash=WHEN        the process dies of a wrong address
 *   quit=WHEN         the process exits with status 7
 *   hang=WHEN         the job never ends, cancelled or not
 *   eat=WHEN eat_bytes=N  so much memory is taken and never given back
 *   late=WHEN late_us=N   such jobs wait that much more
 *   reorder=N         completions are kept until N are there, then called last
 *                     first; also called once none has come for 20 ms
 *   done=worker|thread|submit   who calls `done`: the lane's thread (default),
 *                     one that runs no jobs, or submit() itself before it
 *                     returns (then nothing delays, holds or reorders)
 *   health=CODE       what health() says, unless the device is lost
 *   hold=0|1          jobs wait until release() or cancel(), or hold=0
 * WHEN: none, all, first:N, every:N, only:N, after:N
 * CODE: OK DATA DEVICE LOST NO_MEMORY BUSY CANCELLED UNSUPPORTED ARGUMENT */

typedef struct nexus_stub_counters {
  uint64_t opened; /* calls of open() that succeeded */
  uint64_t closed;
  uint64_t submitted; /* calls of submit() */
  uint64_t accepted;
  uint64_t completed;     /* calls of done */
  uint64_t cancelled;     /* calls of cancel() */
  uint64_t most_held;     /* accepted and not yet completed, at one time */
  uint64_t imported;      /* calls of import_buffer() */
  uint64_t released;      /* calls of release_buffer() */
  uint64_t bytes;         /* of input accepted */
  uint64_t imported_jobs; /* whose input or output was imported */
  uint64_t bad_imports;   /* jobs with an import that is released, or another
                             device's, or does not hold the buffer; wrong
                             releases; those left when the device closes */
  uint64_t health_asked;  /* calls of health() */
} nexus_stub_counters;

typedef struct nexus_stub_control {
  uint32_t size;
  uint32_t reserved;
  /* NEXUS_OK or NEXUS_E_ARGUMENT; then the settings before the bad one hold. */
  int32_t (*configure)(const char* settings);
  /* Back to the settings of the environment; counters and job numbers to 0. */
  void (*reset)(void);
  /* Lets the next `count` held jobs go, of all devices. */
  void (*release)(uint64_t count);
  void (*counters)(uint32_t device, nexus_stub_counters* counters);
  /* The lanes as last given to open(): how many, and of one of them the NUMA
   * node and up to `capacity` processors; answers how many processors. */
  uint32_t (*lane_count)(uint32_t device);
  uint32_t (*lane)(uint32_t device, uint32_t lane, int32_t* numa_node,
                   uint32_t* processors, uint32_t capacity);
  /* Copies up to `capacity` bytes of the last `job` operation name accepted. */
  void (*last_operation)(uint32_t device, char* text, uint32_t capacity);
} nexus_stub_control;

#ifdef __cplusplus
}
#endif
#endif
