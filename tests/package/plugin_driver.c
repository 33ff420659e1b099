/* plugin_driver FILE: loads the example plugin as an engine would, and checks
 * what no run can time: a cancelled job says so, its neighbours end whole, a
 * full lane says so, and every job that was accepted is reported exactly once.
 * Prints what is wrong; exit status 1 if anything. */
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <nexus/plugin.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOLDER, CANCELLED, WHOLE, TOO_MANY, JOBS, BYTES = 1 << 20 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int reported[JOBS];
static int32_t said[JOBS];
static uint64_t written[JOBS];
static bool held = true;
static int wrong;

static void expect(bool holds, const char* what) {
  if (holds) return;
  printf("not so: %s\n", what);
  wrong = 1;
}

/* Holds the lane's thread in the first job's report, so that what comes next
 * finds it busy for as long as it takes. */
static void done(void* user, uint64_t id, const nexus_result* result) {
  pthread_mutex_lock(&mutex);
  expect(user == said, "user is handed back");
  ++reported[id];
  said[id] = result->status;
  written[id] = result->output_bytes;
  pthread_cond_broadcast(&changed);
  while (id == HOLDER && held) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}

static void release(void) {
  pthread_mutex_lock(&mutex);
  held = false;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
}

static void wait_for(uint64_t id) {
  pthread_mutex_lock(&mutex);
  while (reported[id] == 0) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}

static nexus_job job_of(uint64_t id, const char* name, const uint8_t* input,
                        uint8_t* output, const uint32_t* params) {
  nexus_job job;
  memset(&job, 0, sizeof job);
  job.size = sizeof job;
  job.id = id;
  job.operation = name;
  job.input = input;
  job.input_bytes = BYTES;
  job.output = output;
  job.output_capacity = BYTES;
  job.params = params;
  job.params_bytes = 8;
  return job;
}

static void refuses_bad_jobs(const nexus_backend* backend, nexus_device* device,
                             const nexus_job* good) {
  nexus_job odd = *good;
  odd.operation = "age-seal";
  expect(backend->submit(device, 0, &odd, done, said) == NEXUS_E_UNSUPPORTED,
         "a job of another kind is unsupported");
  odd = *good;
  odd.output_capacity = BYTES - 1;
  expect(backend->submit(device, 0, &odd, done, said) == NEXUS_E_ARGUMENT,
         "too small an output is refused");
  odd = *good;
  odd.params_bytes = 7;
  expect(backend->submit(device, 0, &odd, done, said) == NEXUS_E_ARGUMENT,
         "too short a parameter block is refused");
  expect(backend->submit(device, 1, good, done, said) == NEXUS_E_ARGUMENT,
         "a lane that was not opened is refused");
}

static void run_jobs(const nexus_backend* backend, nexus_device* device,
                     const char* name) {
  static const uint32_t params[2] = {8, 1};
  uint8_t* input = calloc(1, BYTES);
  uint8_t* output[JOBS];
  nexus_job jobs[JOBS];
  for (uint64_t i = 0; i < JOBS; ++i) {
    output[i] = calloc(1, BYTES);
    jobs[i] = job_of(i, name, input, output[i], params);
  }
  refuses_bad_jobs(backend, device, &jobs[0]);
  if (wrong) exit(1); /* an accepted one would never end */

  expect(backend->submit(device, 0, &jobs[HOLDER], done, said) == NEXUS_OK,
         "a job is taken");
  wait_for(HOLDER);
  expect(backend->submit(device, 0, &jobs[CANCELLED], done, said) == NEXUS_OK,
         "a second job is taken");
  expect(backend->submit(device, 0, &jobs[WHOLE], done, said) == NEXUS_OK,
         "a third job is taken");
  expect(
      backend->submit(device, 0, &jobs[TOO_MANY], done, said) == NEXUS_E_BUSY,
      "a full lane is busy");
  backend->cancel(device, CANCELLED);
  backend->cancel(device, 99); /* unknown: nothing happens */
  release();
  wait_for(CANCELLED);
  wait_for(WHOLE);
  expect(said[CANCELLED] == NEXUS_E_CANCELLED, "a cancelled job says so");
  expect(said[HOLDER] == NEXUS_OK && said[WHOLE] == NEXUS_OK,
         "the others are not touched by that");
  expect(written[WHOLE] == BYTES && output[WHOLE][0] == 1 &&
             output[WHOLE][BYTES - 1] == 1,
         "and end whole");
  for (int i = 0; i < JOBS; ++i) free(output[i]);
  free(input);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return 2;
  nexus_plugin_entry_fn entry = NULL;
  *(void**)&entry = dlsym(library, NEXUS_PLUGIN_ENTRY_NAME);
  if (entry == NULL) return 2;
  nexus_host host;
  memset(&host, 0, sizeof host);
  host.size = sizeof host;
  host.abi_major = NEXUS_ABI_MAJOR;
  const nexus_plugin* plugin = entry(&host);
  const nexus_backend* backend = plugin->backend;

  nexus_error error;
  memset(&error, 0, sizeof error);
  error.size = sizeof error;
  nexus_plan plan;
  memset(&plan, 0, sizeof plan);
  plan.size = sizeof plan;
  nexus_work* work = NULL;
  const nexus_operation* rot = plugin->operations[0];
  expect(rot->create(NULL, 0, &work, &error) == NEXUS_OK, "create");
  expect(rot->plan(work, &plan, &error) == NEXUS_OK, "plan");
  rot->destroy(work);

  nexus_lane lane;
  memset(&lane, 0, sizeof lane);
  lane.size = sizeof lane;
  const nexus_lane* lanes[] = {&lane};
  nexus_open options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.lane_count = 1;
  options.lanes = lanes;
  nexus_device* device = NULL;
  if (backend->open(&host, &options, &device, &error) != NEXUS_OK) return 2;
  run_jobs(backend, device, plan.job);
  backend->close(device);
  for (int i = 0; i < JOBS; ++i)
    expect(reported[i] == (i == TOO_MANY ? 0 : 1),
           "every accepted job is reported once");
  if (!wrong) printf("all as pinned\n");
  return wrong;
}
