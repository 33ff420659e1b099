/* A libnvidia-ml.so.1 for tests. Its GPUs are lines of the file $FAKE_NVML:
 *
 *   UUID TOTAL USED RESERVED [PID,MIB]...   in MiB
 *   lost                                    one that cannot be opened
 *
 * The first line may also be a word alone: "hang" and "crash" are what
 * nvmlInit_v2() does then, "fail" what it returns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct device {
  char uuid[64];
  unsigned long long total, used, reserved;
  unsigned pids[8];
  unsigned long long process_used[8];
  unsigned processes;
  int lost;
};
static struct device devices[16];
static unsigned count;
static const unsigned long long mib = 1024 * 1024;

static void read_device(char* line, struct device* d) {
  memset(d, 0, sizeof *d);
  char* rest = NULL;
  char* word = strtok_r(line, " \n", &rest);
  snprintf(d->uuid, sizeof d->uuid, "%s", word);
  if (strcmp(word, "lost") == 0) {
    d->lost = 1;
    return;
  }
  unsigned long long* const sizes[] = {&d->total, &d->used, &d->reserved};
  for (int i = 0; i < 3; ++i) {
    *sizes[i] = strtoull(strtok_r(NULL, " \n", &rest), NULL, 10) * mib;
  }
  while ((word = strtok_r(NULL, " \n", &rest)) != NULL) {
    d->pids[d->processes] = (unsigned)strtoul(word, &word, 10);
    d->process_used[d->processes++] = strtoull(word + 1, NULL, 10) * mib;
  }
}

int nvmlInit_v2(void) {
  FILE* file = fopen(getenv("FAKE_NVML"), "r");
  char line[512];
  count = 0;
  if (file == NULL) return 9; /* the driver is not loaded */
  while (fgets(line, sizeof line, file) != NULL) {
    if (strcmp(line, "hang\n") == 0) sleep(3600);
    if (strcmp(line, "crash\n") == 0) abort();
    if (strcmp(line, "fail\n") == 0) return 9;
    read_device(line, &devices[count++]);
  }
  fclose(file);
  return 0;
}

int nvmlShutdown(void) { return 0; }

const char* nvmlErrorString(int code) {
  return code == 9 ? "Driver Not Loaded" : "GPU is lost";
}

int nvmlDeviceGetCount_v2(unsigned* into) {
  *into = count;
  return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device** into) {
  *into = &devices[index];
  return devices[index].lost ? 15 : 0;
}

int nvmlDeviceGetUUID(struct device* d, char* into, unsigned size) {
  snprintf(into, size, "%s", d->uuid);
  return 0;
}

int nvmlDeviceGetName(struct device* d, char* into, unsigned size) {
  (void)d;
  snprintf(into, size, "NVIDIA Fake 9000");
  return 0;
}

struct memory {
  unsigned long long total, free, used;
};
int nvmlDeviceGetMemoryInfo(struct device* d, struct memory* into) {
  into->total = d->total;
  into->used = d->used + d->reserved;
  into->free = into->total - into->used;
  return 0;
}

#ifndef FAKE_NVML_OLD
struct memory_v2 {
  unsigned version;
  unsigned long long total, reserved, free, used;
};
int nvmlDeviceGetMemoryInfo_v2(struct device* d, struct memory_v2* into) {
  if (into->version != (sizeof *into | 2u << 24)) return 25;
  into->total = d->total;
  into->reserved = d->reserved;
  into->used = d->used;
  into->free = d->total - d->used - d->reserved;
  return 0;
}
#endif

struct process {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
};
int nvmlDeviceGetComputeRunningProcesses_v3(struct device* d, unsigned* size,
                                            struct process* into) {
  if (*size < d->processes) {
    *size = d->processes;
    return 7;
  }
  *size = d->processes;
  for (unsigned i = 0; i < d->processes; ++i) {
    into[i] = (struct process){d->pids[i], d->process_used[i], ~0u, ~0u};
  }
  return 0;
}

int nvmlSystemGetProcessName(unsigned pid, char* into, unsigned size) {
  if (pid != 77) return 6; /* not found: as in a container */
  snprintf(into, size, "/usr/lib/xorg/Xorg");
  return 0;
}
