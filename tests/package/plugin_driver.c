/* plugin_driver FILE: loads the example plugin as an engine would, and checks
 * what no run can time: a job that waits is cancelled, a job that runs ends
 * early or whole, a full lane says so, and every job that was accepted is
 * reported exactly once. Prints what is wrong; exit status 1 if anything. */
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <nexus/plugin.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS = 3, BYTES = 64 << 20 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int reported[JOBS];
static int32_t said[JOBS];
static uint64_t written[JOBS];
static int wrong;

static void expect(bool holds, const char *what) {
  if (holds) return;
  printf("not so: %s\n", what);
  wrong = 1;
}

static void done(void *user, uint64_t id, const nexus_result *result) {
  pthread_mutex_lock(&mutex);
  expect(user == said, "user is handed back");
  ++reported[id];
  said[id] = result->status;
  written[id] = result->output_bytes;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
}

static void wait_for(uint64_t id) {
  pthread_mutex_lock(&mutex);
  while (reported[id] == 0) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}

static nexus_job job_of(uint64_t id, const char *name, const uint8_t *input,
                        uint8_t *output, const uint32_t *params) {
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

static void run_jobs(const nexus_backend *backend, nexus_device *device,
                     const char *name) {
  static const uint32_t params[2] = {8, 1};
  uint8_t *input = calloc(1, BYTES);
  uint8_t *output[JOBS];
  nexus_job jobs[JOBS];
  for (uint64_t i = 0; i < JOBS; ++i) {
    output[i] = calloc(1, BYTES);
    jobs[i] = job_of(i, name, input, output[i], params);
  }
  nexus_job odd = jobs[2];
  odd.operation = "age-seal";
  expect(backend->submit(device, 0, &odd, done, said) != NEXUS_OK,
         "a job of another kind is refused");
  odd = jobs[2];
  odd.output_capacity = BYTES - 1;
  expect(backend->submit(device, 0, &odd, done, said) != NEXUS_OK,
         "too small an output is refused");
  expect(backend->submit(device, 1, &jobs[2], done, said) != NEXUS_OK,
         "a lane that was not opened is refused");

  /* The first takes some 10 ms at the least: the others meet it running. */
  expect(backend->submit(device, 0, &jobs[0], done, said) == NEXUS_OK, "1st");
  expect(backend->submit(device, 0, &jobs[1], done, said) == NEXUS_OK, "2nd");
  expect(backend->submit(device, 0, &jobs[2], done, said) == NEXUS_E_BUSY,
         "the third finds the lane full");
  backend->cancel(device, 1);
  backend->cancel(device, 99); /* unknown: nothing happens */
  wait_for(0);
  wait_for(1);
  expect(said[0] == NEXUS_OK && written[0] == BYTES, "the first is whole");
  expect(output[0][0] == 1 && output[0][BYTES - 1] == 1, "and rotated");
  expect(said[1] == NEXUS_E_CANCELLED, "the second is cancelled");

  expect(backend->submit(device, 0, &jobs[2], done, said) == NEXUS_OK,
         "there is room again");
  backend->cancel(device, 2);
  wait_for(2);
  expect(said[2] == NEXUS_E_CANCELLED, "a job is cancelled as it begins");
  for (int i = 0; i < JOBS; ++i) free(output[i]);
  free(input);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return 2;
  nexus_plugin_entry_fn entry = NULL;
  *(void **)&entry = dlsym(library, NEXUS_PLUGIN_ENTRY_NAME);
  if (entry == NULL) return 2;
  nexus_host host;
  memset(&host, 0, sizeof host);
  host.size = sizeof host;
  host.abi_major = NEXUS_ABI_MAJOR;
  const nexus_plugin *plugin = entry(&host);
  const nexus_backend *backend = plugin->backend;

  nexus_error error;
  memset(&error, 0, sizeof error);
  error.size = sizeof error;
  nexus_plan plan;
  memset(&plan, 0, sizeof plan);
  plan.size = sizeof plan;
  nexus_work *work = NULL;
  const nexus_operation *rot = plugin->operations[0];
  expect(rot->create(NULL, 0, &work, &error) == NEXUS_OK, "create");
  expect(rot->plan(work, &plan, &error) == NEXUS_OK, "plan");
  rot->destroy(work);

  nexus_lane lane;
  memset(&lane, 0, sizeof lane);
  lane.size = sizeof lane;
  const nexus_lane *lanes[] = {&lane};
  nexus_open options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.lane_count = 1;
  options.lanes = lanes;
  nexus_device *device = NULL;
  if (backend->open(&host, &options, &device, &error) != NEXUS_OK) return 2;
  run_jobs(backend, device, plan.job);
  backend->close(device);
  for (int i = 0; i < JOBS; ++i)
    expect(reported[i] == 1, "every accepted job is reported once");
  if (!wrong) printf("all as pinned\n");
  return wrong;
}
