/* A plugin that is well-formed, and one definition away from each way not to
 * be. CMake builds it once for every variant. */
#define _POSIX_C_SOURCE 200809L

#include <nexus/plugin.h>
#include <stdlib.h>
#include <string.h>

#ifndef ENTRY
#define ENTRY nexus_plugin_entry
#endif
#ifndef PLUGIN
#define PLUGIN &plugin.known
#endif
#ifndef ABI_MAJOR
#define ABI_MAJOR NEXUS_ABI_MAJOR
#endif
#ifndef ABI_MINOR
#define ABI_MINOR NEXUS_ABI_MINOR
#endif
#ifndef NAME
#define NAME "good"
#endif
#ifndef PLUGIN_SIZE
#define PLUGIN_SIZE sizeof(nexus_plugin)
#endif
#ifndef BACKEND_SIZE
#define BACKEND_SIZE sizeof(nexus_backend)
#endif
#ifndef OPERATION_SIZE
#define OPERATION_SIZE sizeof(nexus_operation)
#endif
#ifndef BACKEND
#define BACKEND &backend.known
#endif
#ifndef OPERATIONS
#define OPERATIONS operations
#endif
#ifndef OPERATION_COUNT
#define OPERATION_COUNT 1
#endif
#ifndef OPERATION
#define OPERATION &operation.known
#endif
#ifndef PROBE
#define PROBE probe
#endif
#ifndef CAPS
#define CAPS caps
#endif
#ifndef OPEN
#define OPEN open_device
#endif
#ifndef CLOSE
#define CLOSE close_device
#endif
#ifndef SUBMIT
#define SUBMIT submit
#endif
#ifndef IMPORT
#define IMPORT NULL
#endif
#ifndef OPERATION_NAME
#define OPERATION_NAME "nothing"
#endif
#ifndef CREATE
#define CREATE create
#endif
#ifndef DESTROY
#define DESTROY destroy
#endif
#ifndef PLAN
#define PLAN plan
#endif
#ifndef JOB
#define JOB job
#endif

/* What a later minor version might append. */
struct longer_plugin {
  nexus_plugin known;
  void* appended[4];
};
struct longer_backend {
  nexus_backend known;
  void* appended[4];
};
struct longer_operation {
  nexus_operation known;
  void* appended[4];
};

#define UNUSED __attribute__((unused)) static

UNUSED int32_t probe(const nexus_host* host, uint32_t index,
                     nexus_device_info* info) {
  (void)host, (void)index, (void)info;
  return NEXUS_E_END;
}
/* A card that another plugin may see as well. */
UNUSED int32_t probe_card(const nexus_host* host, uint32_t index,
                          nexus_device_info* info) {
  (void)host;
  if (index != 0) return NEXUS_E_END;
  info->kind = NEXUS_DEVICE_GPU;
  info->score = 100;
  strcpy(info->name, "a card");
  strcpy(info->pci_id, "0000:01:00.0");
  return NEXUS_OK;
}
UNUSED int32_t caps(uint32_t index, const char* name, nexus_caps* to) {
  (void)index, (void)name, (void)to;
  return NEXUS_E_UNSUPPORTED;
}
UNUSED int32_t open_device(const nexus_host* host, const nexus_open* options,
                           nexus_device** device, nexus_error* error) {
  (void)host, (void)options, (void)device, (void)error;
  return NEXUS_E_LOST;
}
UNUSED void close_device(nexus_device* device) {
  (void)device;
}
UNUSED int32_t submit(nexus_device* device, uint32_t lane, const nexus_job* job,
                      nexus_done done, void* user) {
  (void)device, (void)lane, (void)job, (void)done, (void)user;
  return NEXUS_E_LOST;
}
UNUSED int32_t import_only(nexus_device* device, void* memory, uint64_t bytes,
                           int fd, nexus_buffer** buffer) {
  (void)device, (void)memory, (void)bytes, (void)fd, (void)buffer;
  return NEXUS_E_UNSUPPORTED;
}
UNUSED int32_t create(const nexus_option* options, uint32_t count,
                      nexus_work** work, nexus_error* error) {
  (void)options, (void)count, (void)work, (void)error;
  return NEXUS_E_UNSUPPORTED;
}
UNUSED void destroy(nexus_work* work) {
  (void)work;
}
UNUSED int32_t plan(nexus_work* work, nexus_plan* to, nexus_error* error) {
  (void)work, (void)to, (void)error;
  return NEXUS_E_UNSUPPORTED;
}
UNUSED int32_t job(nexus_work* work, const nexus_segment* segment, void* params,
                   uint32_t capacity, uint32_t* bytes, nexus_error* error) {
  (void)work, (void)segment, (void)params, (void)capacity, (void)bytes;
  (void)error;
  return NEXUS_E_UNSUPPORTED;
}

UNUSED const struct longer_backend backend = {
    .known = {.size = BACKEND_SIZE,
              .probe = PROBE,
              .caps = CAPS,
              .open = OPEN,
              .close = CLOSE,
              .submit = SUBMIT,
              .import_buffer = IMPORT}};

UNUSED const struct longer_operation operation = {
    .known = {.size = OPERATION_SIZE,
              .name = OPERATION_NAME,
              .summary = "does nothing",
              .create = CREATE,
              .destroy = DESTROY,
              .plan = PLAN,
              .job = JOB}};
UNUSED const nexus_operation* const operations[] = {OPERATION};
UNUSED const nexus_operation* const one_twice[] = {OPERATION, OPERATION};

UNUSED const struct longer_plugin plugin = {
    .known = {.size = PLUGIN_SIZE,
              .abi_major = ABI_MAJOR,
              .abi_minor = ABI_MINOR,
              .operation_count = OPERATION_COUNT,
              .name = NAME,
              .version = "9.8.7",
              .backend = BACKEND,
              .operations = OPERATIONS}};

/* Tells the test that code of this file ran at all. */
__attribute__((constructor)) static void loaded(void) {
  setenv("NEXUS_TEST_PLUGIN_RAN", "1", 1);
}

NEXUS_PLUGIN_EXPORT const nexus_plugin* ENTRY(const nexus_host* host);
const nexus_plugin* ENTRY(const nexus_host* host) {
  host->log(host->context, NEXUS_LOG_INFO, "the entry was called");
  return PLUGIN;
}
