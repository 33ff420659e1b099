/* A plugin in C11 that needs nothing but <nexus/plugin.h>. It brings
 * - a device, "rot:0": threads of its own that add a number to every byte;
 * - an operation, "rot", whose segments become jobs of such a device:
 *     nexus-pipe run rot --set by=13 --plugin-dir DIR < in > out
 *
 * It uses the fields of version 1.0 alone. Where it writes to a struct of its
 * caller's, that may still be a smaller one: see probe(). */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <nexus/plugin.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB_NAME "example-rot" /* ours alone: no other device runs it */

enum {
  LANE_DEPTH = 2,      /* a job that runs and one that waits */
  SLICE_BYTES = 65536, /* between two looks at the cancel flag */
};

/* The parameter block of JOB_NAME. */
typedef struct rot_params {
  uint32_t size;
  uint32_t by; /* 0 to 255 */
} rot_params;

static int32_t refuse(nexus_error* error, int32_t code, const char* message) {
  if (error != NULL) { /* the caller may not want the words */
    error->code = code;
    snprintf(error->message, sizeof error->message, "%s", message);
  }
  return code;
}

/* ---- the device --------------------------------------------------------- */

typedef struct slot {
  const nexus_job* job;
  nexus_done done;
  void* user;
  atomic_bool cancelled;
} slot;

/* One thread and its jobs, a ring that begins with the one that runs. */
typedef struct lane {
  pthread_t thread;
  pthread_mutex_t mutex; /* of all below */
  pthread_cond_t wake;
  slot slots[LANE_DEPTH];
  unsigned first;
  unsigned count;
  bool stopping;
} lane;

struct nexus_device {
  uint32_t running; /* lanes whose thread was started */
  lane* lanes;
};

static void rotate(const nexus_job* job, const atomic_bool* cancelled,
                   nexus_result* result) {
  const rot_params* params = job->params;
  const uint8_t by = (uint8_t)params->by;
  uint64_t at = 0;
  while (at < job->input_bytes) {
    if (atomic_load(cancelled)) {
      result->status = NEXUS_E_CANCELLED;
      return;
    }
    const uint64_t left = job->input_bytes - at;
    const uint64_t end = at + (left < SLICE_BYTES ? left : SLICE_BYTES);
    for (; at < end; ++at) job->output[at] = (uint8_t)(job->input[at] + by);
  }
  result->output_bytes = job->input_bytes;
}

static void* serve(void* argument) {
  lane* mine = argument;
  pthread_mutex_lock(&mine->mutex);
  for (;;) {
    while (mine->count == 0 && !mine->stopping)
      pthread_cond_wait(&mine->wake, &mine->mutex);
    if (mine->count == 0) break;
    slot* now = &mine->slots[mine->first];
    pthread_mutex_unlock(&mine->mutex);

    const uint64_t id = now->job->id;
    nexus_result result = {.size = sizeof result, .status = NEXUS_OK};
    rotate(now->job, &now->cancelled, &result);

    /* The slot is free before the engine hears of it, for it may submit the
     * next job from another thread at once. */
    pthread_mutex_lock(&mine->mutex);
    const nexus_done done = now->done;
    void* const user = now->user;
    mine->first = (mine->first + 1) % LANE_DEPTH;
    --mine->count;
    pthread_mutex_unlock(&mine->mutex);
    done(user, id, &result);
    pthread_mutex_lock(&mine->mutex);
  }
  pthread_mutex_unlock(&mine->mutex);
  return NULL;
}

static int32_t probe(const nexus_host* host, uint32_t index,
                     nexus_device_info* info) {
  (void)host;
  if (index != 0) return NEXUS_E_END;
  /* Whole, so that every string ends; then no more of it than the caller
   * knows. */
  nexus_device_info made = {.kind = NEXUS_DEVICE_CPU,
                            .score = 10,
                            .lane_depth = LANE_DEPTH,
                            .numa_node = -1,
                            .name = "byte rotation on threads"};
  made.size = info->size < sizeof made ? info->size : sizeof made;
  memcpy(info, &made, made.size);
  return NEXUS_OK;
}

static int32_t caps(uint32_t index, const char* operation, nexus_caps* caps) {
  (void)caps; /* any size, any alignment: zeros, as they were given */
  return index == 0 && strcmp(operation, JOB_NAME) == 0 ? NEXUS_OK
                                                        : NEXUS_E_UNSUPPORTED;
}

static void close_device(nexus_device* device) {
  for (uint32_t i = 0; i < device->running; ++i) {
    lane* each = &device->lanes[i];
    pthread_mutex_lock(&each->mutex);
    each->stopping = true;
    pthread_cond_signal(&each->wake);
    pthread_mutex_unlock(&each->mutex);
    pthread_join(each->thread, NULL);
    pthread_cond_destroy(&each->wake);
    pthread_mutex_destroy(&each->mutex);
  }
  free(device->lanes);
  free(device);
}

static bool start_lane(lane* made) {
  if (pthread_mutex_init(&made->mutex, NULL) != 0) return false;
  if (pthread_cond_init(&made->wake, NULL) == 0) {
    if (pthread_create(&made->thread, NULL, serve, made) == 0) return true;
    pthread_cond_destroy(&made->wake);
  }
  pthread_mutex_destroy(&made->mutex);
  return false;
}

static int32_t open_device(const nexus_host* host, const nexus_open* options,
                           nexus_device** device, nexus_error* error) {
  (void)host;
  if (options->device_index != 0 || options->lane_count == 0)
    return refuse(error, NEXUS_E_ARGUMENT, "no such device, or no lane");
  nexus_device* made = calloc(1, sizeof *made);
  if (made != NULL) made->lanes = calloc(options->lane_count, sizeof(lane));
  if (made == NULL || made->lanes == NULL) {
    free(made);
    return refuse(error, NEXUS_E_NO_MEMORY, "out of memory");
  }
  /* Signals are the program's: our threads inherit a mask that blocks them, but
   * for those of our own faults, which its handlers are to see. */
  sigset_t most;
  sigset_t before;
  sigfillset(&most);
  sigdelset(&most, SIGSEGV);
  sigdelset(&most, SIGBUS);
  sigdelset(&most, SIGFPE);
  sigdelset(&most, SIGILL);
  pthread_sigmask(SIG_SETMASK, &most, &before);
  while (made->running < options->lane_count &&
         start_lane(&made->lanes[made->running]))
    ++made->running;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (made->running < options->lane_count) {
    close_device(made);
    return refuse(error, NEXUS_E_NO_MEMORY, "the system gives no more threads");
  }
  *device = made;
  return NEXUS_OK;
}

/* NEXUS_OK, or what submit() answers. */
static int32_t check(const nexus_job* job) {
  if (strcmp(job->operation, JOB_NAME) != 0) return NEXUS_E_UNSUPPORTED;
  const rot_params* params = job->params;
  if (job->params_bytes < sizeof *params || params->size < sizeof *params)
    return NEXUS_E_ARGUMENT;
  if (job->output_capacity < job->input_bytes) return NEXUS_E_ARGUMENT;
  return NEXUS_OK;
}

static int32_t submit(nexus_device* device, uint32_t lane_number,
                      const nexus_job* job, nexus_done done, void* user) {
  if (lane_number >= device->running) return NEXUS_E_ARGUMENT;
  const int32_t verdict = check(job);
  if (verdict != NEXUS_OK) return verdict;
  lane* to = &device->lanes[lane_number];
  pthread_mutex_lock(&to->mutex);
  const bool full = to->count == LANE_DEPTH;
  if (!full) {
    slot* next = &to->slots[(to->first + to->count) % LANE_DEPTH];
    next->job = job;
    next->done = done;
    next->user = user;
    atomic_store(&next->cancelled, false);
    ++to->count;
    pthread_cond_signal(&to->wake);
  }
  pthread_mutex_unlock(&to->mutex);
  return full ? NEXUS_E_BUSY : NEXUS_OK;
}

static void cancel(nexus_device* device, uint64_t job_id) {
  for (uint32_t i = 0; i < device->running; ++i) {
    lane* each = &device->lanes[i];
    pthread_mutex_lock(&each->mutex);
    for (unsigned n = 0; n < each->count; ++n) {
      slot* held = &each->slots[(each->first + n) % LANE_DEPTH];
      if (held->job->id == job_id) atomic_store(&held->cancelled, true);
    }
    pthread_mutex_unlock(&each->mutex);
  }
}

/* ---- the operation ------------------------------------------------------ */

struct nexus_work {
  uint32_t by;
};

/* False: not a number from 0 to 255. */
static bool parse_by(const char* text, uint32_t* by) {
  char* end = NULL;
  errno = 0;
  const long value = strtol(text, &end, 10);
  if (end == text || *end != '\0' || errno != 0) return false;
  if (value < 0 || value > 255) return false;
  *by = (uint32_t)value;
  return true;
}

static int32_t create(const nexus_option* options, uint32_t option_count,
                      nexus_work** work, nexus_error* error) {
  uint32_t by = 13;
  for (uint32_t i = 0; i < option_count; ++i) {
    if (strcmp(options[i].key, "by") != 0)
      return refuse(error, NEXUS_E_ARGUMENT, "the only option is by");
    if (!parse_by(options[i].value, &by))
      return refuse(error, NEXUS_E_ARGUMENT, "by is a number from 0 to 255");
  }
  nexus_work* made = malloc(sizeof *made);
  if (made == NULL) return refuse(error, NEXUS_E_NO_MEMORY, "out of memory");
  made->by = by;
  *work = made;
  return NEXUS_OK;
}

static void destroy(nexus_work* work) {
  free(work);
}

static int32_t plan(nexus_work* work, nexus_plan* plan, nexus_error* error) {
  (void)work;
  (void)error;
  plan->granule = 1; /* cut anywhere; as many bytes go out as come in */
  plan->granule_output = 1;
  plan->extra_output = 0;
  snprintf(plan->job, sizeof plan->job, JOB_NAME);
  return NEXUS_OK; /* segment_bytes stays as the engine wished */
}

static int32_t make_job(nexus_work* work, const nexus_segment* segment,
                        void* params, uint32_t capacity, uint32_t* bytes,
                        nexus_error* error) {
  (void)segment;
  const rot_params block = {.size = sizeof block, .by = work->by};
  if (capacity < sizeof block)
    return refuse(error, NEXUS_E_ARGUMENT, "no room for the parameters");
  memcpy(params, &block, sizeof block);
  *bytes = sizeof block;
  return NEXUS_OK;
}

/* ---- the tables --------------------------------------------------------- */

static const nexus_backend backend = {
    .size = sizeof(nexus_backend),
    .probe = probe,
    .caps = caps,
    .open = open_device,
    .close = close_device,
    .submit = submit,
    .cancel = cancel,
};

static const nexus_operation operation = {
    .size = sizeof(nexus_operation),
    .name = "rot",
    .summary = "adds a number, `by`, to every byte",
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .job = make_job,
};

static const nexus_operation* const operations[] = {&operation};

static const nexus_plugin plugin = {
    .size = sizeof(nexus_plugin),
    .abi_major = NEXUS_ABI_MAJOR,
    .abi_minor = NEXUS_ABI_MINOR,
    .operation_count = 1,
    .name = "rot",
    .version = "1.0.0",
    .backend = &backend,
    .operations = operations,
};

const nexus_plugin* nexus_plugin_entry(const nexus_host* host) {
  (void)host;
  return &plugin;
}
