/* The C11 ABI between nexus-pipe and its plugins. This header alone is enough
 * to write one: a shared library that exports nexus_plugin_entry().
 *
 * Rules that hold throughout:
 * - Every struct begins with its size in bytes, set by whoever made it. A
 *   reader uses no field beyond that size. Fields are only ever appended, under
 *   a new minor version; anything else is a new major version.
 * - No exception, C++ type, abort, exit or print crosses this boundary.
 * - Strings are UTF-8, end with a zero byte, and live as long as the process
 *   unless a comment says otherwise. A plugin is never unloaded.
 * - Payload memory is the engine's. A plugin reads `input`, writes `output`,
 *   and touches neither once it has called `done`.
 * - Functions may be called from any thread, but for one device never two of
 *   open, close, cancel and submit at a time.
 */
#ifndef NEXUS_PLUGIN_H
#define NEXUS_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NEXUS_ABI_MAJOR 1u
#define NEXUS_ABI_MINOR 0u

#if defined(__GNUC__)
#define NEXUS_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define NEXUS_PLUGIN_EXPORT
#endif

/* Pinned codes. What the engine does about each is said beside it. */
enum {
  NEXUS_OK = 0,
  NEXUS_E_DATA = 1,        /* the input is at fault: the run ends there */
  NEXUS_E_DEVICE = 2,      /* this job failed: it is retried elsewhere */
  NEXUS_E_LOST = 3,        /* the device is gone: it is quarantined */
  NEXUS_E_NO_MEMORY = 4,   /* out of device or host memory: retried */
  NEXUS_E_BUSY = 5,        /* submit only: the queue is full, ask later */
  NEXUS_E_CANCELLED = 6,   /* cancel() reached the job in time */
  NEXUS_E_UNSUPPORTED = 7, /* the device cannot run this operation */
  NEXUS_E_ARGUMENT = 8,    /* a block or option is not of the pinned form */
  NEXUS_E_END = 9,         /* probe only: no device has this index */
  NEXUS_E_IO = 10          /* a stream call failed; end with the same code */
};

enum { NEXUS_LOG_DEBUG = 0, NEXUS_LOG_INFO = 1, NEXUS_LOG_WARNING = 2 };

/* What the engine offers a plugin. Lives as long as the process. */
typedef struct nexus_host {
  uint32_t size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  void *context;
  /* One line of diagnostics, from any thread. */
  void (*log)(void *context, int32_t level, const char *line);
  /* Never NULL; answers NULL for what it does not know. */
  const void *(*get_extension)(void *context, const char *name);
} nexus_host;

/* An extension of the host: a const char *, the name of the plugin that the
 * user asked for, or "*" where every device is to be listed. NULL: none was
 * named, and what takes long to look at may be left out of probe(). */
#define NEXUS_HOST_REQUESTED "nexus.requested"

/* Errors with words. The callee fills message, cut to fit, zero-ended. */
typedef struct nexus_error {
  uint32_t size;
  int32_t code;
  char message[248];
} nexus_error;

/* ---- backend: devices that run jobs ------------------------------------ */

enum { NEXUS_DEVICE_CPU = 0, NEXUS_DEVICE_GPU = 1, NEXUS_DEVICE_OTHER = 2 };

enum {
  /* Used only when the user names the plugin: something better is at hand. */
  NEXUS_DEVICE_ON_REQUEST = 1u
};

/* One device as probe() sees it: no context is created for that. */
typedef struct nexus_device_info {
  uint32_t size;
  int32_t kind;          /* NEXUS_DEVICE_* */
  int32_t score;         /* 0: cannot run here; higher is better */
  uint32_t flags;        /* NEXUS_DEVICE_ON_REQUEST */
  uint32_t max_lanes;    /* lanes that open() accepts; 0: any number */
  uint32_t lane_depth;   /* jobs that a lane holds at once, running ones
                            included; >= 1 */
  int32_t numa_node;     /* of the host, -1 unknown */
  uint32_t reserved;
  uint64_t memory_bytes; /* of the device; 0: it works in host memory */
  char name[96];
  char pci_id[24];       /* "0000:3b:00.0" or empty: one card counts once */
  char driver[48];
  char note[160];        /* why score is 0, or what the user should know */
} nexus_device_info;

/* What a device does with one operation. */
typedef struct nexus_caps {
  uint32_t size;
  uint32_t flags;            /* NEXUS_CAPS_* */
  uint64_t min_bytes;        /* of job input that pay at all */
  uint64_t preferred_bytes;  /* 0: no wish */
  uint64_t max_bytes;        /* 0: no limit */
  uint32_t alignment;        /* of the buffers; 0: any */
  uint32_t reserved;
  /* Host or device memory that a running job takes beside its buffers. */
  uint64_t scratch_bytes;
} nexus_caps;

enum {
  NEXUS_CAPS_WANTS_IMPORT = 1u, /* faster on buffers that it imported */
  NEXUS_CAPS_FILLS = 2u         /* calls nexus_job.fill */
};

/* How a lane is to be placed. */
typedef struct nexus_lane {
  uint32_t size;
  int32_t numa_node;                /* -1: no preference */
  uint32_t processor_count;         /* 0: where the process may run */
  uint32_t reserved;
  const uint32_t *processors;       /* logical numbers; valid during open() */
} nexus_lane;

typedef struct nexus_open {
  uint32_t size;
  uint32_t device_index;            /* as given to probe() */
  uint32_t lane_count;
  uint32_t reserved;
  const nexus_lane *const *lanes;   /* lane_count of them */
} nexus_open;

typedef struct nexus_device nexus_device; /* the plugin's own */
typedef struct nexus_buffer nexus_buffer; /* the plugin's own */

/* One segment. Valid until `done` is called for it. */
typedef struct nexus_job {
  uint32_t size;
  uint32_t params_bytes;
  uint64_t id;               /* unique per device */
  const char *operation;     /* what params is, and what is to be done */
  const uint8_t *input;
  uint64_t input_bytes;
  uint8_t *output;
  uint64_t output_capacity;
  const void *params;        /* as pinned below, 8-byte aligned */
  /* What import_buffer() made of the memory around them, or NULL. */
  nexus_buffer *input_import;
  nexus_buffer *output_import;
  /* Room for 16-byte tags that the host is to compare, or NULL. */
  uint8_t *tags;
  uint64_t tags_capacity;    /* bytes */
  /* NULL, or puts the bytes into `input`, which are not there before. Only for
   * operations whose caps say NEXUS_CAPS_FILLS: to be called exactly once, by
   * the thread that is about to read the input, so that it finds it in its
   * cache. Blocks as long as the bytes take. Unless it returns NEXUS_OK, the
   * job ends with what it returned. */
  int32_t (*fill)(void *fill_context);
  void *fill_context;
} nexus_job;

enum {
  /* age-open: the chunk that ends the output carried the final flag. */
  NEXUS_RESULT_FINAL_CHUNK = 1u,
  /* age-open: nothing was compared; tags holds one computed tag a chunk. */
  NEXUS_RESULT_TAGS = 2u
};

/* Valid during the call of `done` alone. */
typedef struct nexus_result {
  uint32_t size;
  int32_t status;          /* NEXUS_OK, or a NEXUS_E_* */
  uint64_t output_bytes;   /* valid also with NEXUS_E_DATA: the good prefix */
  uint64_t error_offset;   /* NEXUS_E_DATA: in the input, of what is wrong */
  uint32_t flags;          /* NEXUS_RESULT_* */
  uint32_t reserved;
  uint64_t tags_bytes;     /* filled in job->tags */
  uint64_t device_ns;      /* time that the device spent; 0: not known */
  const char *message;     /* what went wrong, or NULL */
} nexus_result;

/* Exactly once for every accepted job, from any thread, without any lock that
 * submit or cancel take. Never blocks. The job is not to be touched after. */
typedef void (*nexus_done)(void *user, uint64_t job_id,
                           const nexus_result *result);

typedef struct nexus_health {
  uint32_t size;
  int32_t status;         /* NEXUS_OK, NEXUS_E_DEVICE (try later), _LOST */
  uint64_t memory_used_bytes;
  char message[160];
} nexus_health;

typedef struct nexus_backend {
  uint32_t size;
  uint32_t flags; /* 0 */

  /* Fills info for the device of this index. NEXUS_OK, or NEXUS_E_END past
   * the last. Creates no context and takes little time. */
  int32_t (*probe)(const nexus_host *host, uint32_t index,
                   nexus_device_info *info);
  /* NEXUS_OK, or NEXUS_E_UNSUPPORTED. */
  int32_t (*caps)(uint32_t index, const char *operation, nexus_caps *caps);
  int32_t (*open)(const nexus_host *host, const nexus_open *options,
                  nexus_device **device, nexus_error *error);
  /* Called once no job is left; joins every thread of the device. */
  void (*close)(nexus_device *device);
  /* Queues a job and returns at once. NEXUS_OK: `done` will be called.
   * Anything else: it will not. */
  int32_t (*submit)(nexus_device *device, uint32_t lane, const nexus_job *job,
                    nexus_done done, void *user);

  /* Optional (NULL). Hurries a job's end; `done` is still called. */
  void (*cancel)(nexus_device *device, uint64_t job_id);
  /* Optional: always well. */
  int32_t (*health)(nexus_device *device, nexus_health *health);
  /* Optional: no import. Makes host memory fast for the device, for instance
   * by pinning it. fd: a memfd behind it at offset 0, or -1. */
  int32_t (*import_buffer)(nexus_device *device, void *memory, uint64_t bytes,
                           int fd, nexus_buffer **buffer);
  /* Optional, but not without import_buffer. */
  void (*release_buffer)(nexus_device *device, nexus_buffer *buffer);
  /* Optional: nothing. */
  const void *(*get_extension)(const char *name);
} nexus_backend;

/* ---- operation: what a run does to a stream ----------------------------- */

typedef struct nexus_option {
  const char *key;
  const char *value;
} nexus_option;

/* The stream as a prologue or epilogue sees it. Calls block. */
typedef struct nexus_stream {
  uint32_t size;
  uint32_t reserved;
  void *context;
  /* The next bytes of the input, at least `want` unless it ends before. The
   * view is valid until the next call. Not in an epilogue. */
  int32_t (*peek)(void *context, uint64_t want, const uint8_t **data,
                  uint64_t *bytes);
  /* Takes bytes that were peeked at. */
  void (*consume)(void *context, uint64_t bytes);
  /* Appends to the output. */
  int32_t (*write)(void *context, const uint8_t *data, uint64_t bytes);
} nexus_stream;

typedef struct nexus_plan {
  uint32_t size;
  uint32_t granule;            /* segments but the last: multiples of it; >= 1 */
  uint32_t granule_output;     /* n input bytes yield at most */
  uint32_t extra_output;       /*   ceil(n/granule)*granule_output + extra */
  uint64_t segment_bytes;      /* in: the engine's wish; out: the plugin's */
  uint64_t input_bytes;        /* in: left in the source; UINT64_MAX unknown */
  uint32_t segment_bytes_fixed;
  uint32_t reserved;
  char job[48];                /* device operation that its jobs name */
} nexus_plan;

typedef struct nexus_segment {
  uint32_t size;
  uint32_t last;               /* the input ends with it */
  uint64_t index;
  uint64_t offset;             /* of its first byte in the input */
  const uint8_t *input;
  uint64_t input_bytes;
} nexus_segment;

enum { NEXUS_VERDICT_ACCEPT = 0, NEXUS_VERDICT_RESUBMIT = 1 };

typedef struct nexus_work nexus_work; /* the plugin's own: one run */

typedef struct nexus_operation {
  uint32_t size;
  uint32_t flags; /* 0 */
  const char *name;    /* what `nexus-pipe run NAME` names */
  const char *summary; /* one line */

  int32_t (*create)(const nexus_option *options, uint32_t option_count,
                    nexus_work **work, nexus_error *error);
  void (*destroy)(nexus_work *work);
  int32_t (*plan)(nexus_work *work, nexus_plan *plan, nexus_error *error);
  /* The segment's bytes may not be there yet: only their number counts. Fills
   * params, at most `capacity` bytes (at least 256), and *bytes. Quick:
   * it runs on the engine's thread. */
  int32_t (*job)(nexus_work *work, const nexus_segment *segment, void *params,
                 uint32_t capacity, uint32_t *bytes, nexus_error *error);

  /* Optional: nothing. Both run on a helper thread and may block. */
  int32_t (*prologue)(nexus_work *work, const nexus_stream *stream,
                      nexus_error *error);
  int32_t (*epilogue)(nexus_work *work, const nexus_stream *stream,
                      nexus_error *error);
  /* Optional: accept. In stream order; NEXUS_VERDICT_* or, to end the run, a
   * negated NEXUS_E_*. Quick. */
  int32_t (*check)(nexus_work *work, const nexus_segment *segment,
                   const nexus_result *result, nexus_error *error);
} nexus_operation;

/* ---- plugin ------------------------------------------------------------- */

typedef struct nexus_plugin {
  uint32_t size;
  uint32_t abi_major; /* NEXUS_ABI_MAJOR that it was built with */
  uint32_t abi_minor;
  uint32_t operation_count;
  const char *name; /* [a-z0-9-]+, what --backend names */
  const char *version;
  const nexus_backend *backend;                  /* optional */
  const nexus_operation *const *operations;      /* optional */
} nexus_plugin;

/* The one exported symbol. Cheap: no device is touched. May be called once. */
typedef const nexus_plugin *(*nexus_plugin_entry_fn)(const nexus_host *host);
#define NEXUS_PLUGIN_ENTRY_NAME "nexus_plugin_entry"
NEXUS_PLUGIN_EXPORT const nexus_plugin *nexus_plugin_entry(
    const nexus_host *host);

/* ---- parameter blocks of the device operations -------------------------- */

/* "age-seal" and "age-open": the STREAM payload of age v1. A chunk is 65536
 * bytes of plaintext and 16 of tag under ChaCha20-Poly1305; its nonce is the
 * chunk's number in the stream, 11 bytes big-endian, then 1 for the stream's
 * final chunk, else 0.
 *
 * age-seal: every input byte; the final chunk may be short. An empty input
 * with NEXUS_AGE_LAST gives one empty chunk, but only as chunk 0.
 *
 * age-open: chunks of 65552 bytes, the last of the input possibly shorter. A
 * full chunk is tried as not final, then as final; a short one as final only.
 * With NEXUS_AGE_LAST the last full chunk is tried as final first. Ends with
 * the first chunk that is final (NEXUS_RESULT_FINAL_CHUNK; what follows is
 * left alone) or that fails (NEXUS_E_DATA, error_offset its first byte). */
#define NEXUS_JOB_AGE_SEAL "age-seal"
#define NEXUS_JOB_AGE_OPEN "age-open"
enum { NEXUS_AGE_LAST = 1u };
typedef struct nexus_age_params {
  uint32_t size;
  uint32_t flags; /* NEXUS_AGE_LAST: the stream ends with this input */
  uint64_t first_chunk;
  uint8_t key[32]; /* secret: no copy survives the job */
} nexus_age_params;

/* "armor-encode": base64 of the input in lines of 64 characters and a line
 * feed; a shorter last line, padded, likewise.
 * "armor-decode": whole lines of exactly 64 characters and the line ending,
 * canonical base64 without padding. Ends at the first line that is anything
 * else, or cut short, with NEXUS_E_DATA and the line's offset. */
#define NEXUS_JOB_ARMOR_ENCODE "armor-encode"
#define NEXUS_JOB_ARMOR_DECODE "armor-decode"
enum { NEXUS_ARMOR_CRLF = 1u };
typedef struct nexus_armor_params {
  uint32_t size;
  uint32_t flags; /* NEXUS_ARMOR_CRLF: decode only; lines end in CR LF */
} nexus_armor_params;

#ifdef __cplusplus
}
#endif
#endif
