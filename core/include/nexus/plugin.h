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
#define NEXUS_ABI_MINOR 1u

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

/* What the engine offers a plugin. Lives as long as the process. probe() and
 * open() get the host of the engine that calls; the plugin's entry gets one that
 * is no engine's, whose lines reach all of them. */
typedef struct nexus_host {
  uint32_t size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  void *context;
  /* One line of diagnostics, from any thread. */
  void (*log)(void *context, int32_t level, const char *line);
  /* Never NULL; answers NULL for what it does not know, NULL among it. */
  const void *(*get_extension)(void *context, const char *name);
} nexus_host;

/* An extension of an engine's host: a const char *, the name of the plugin that
 * the user asked for, or "*" where every device is to be listed. NULL: none was
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
  uint64_t preferred_bytes;  /* the engine makes segments as large, where it
                                may, if a GPU says so; 0: no wish */
  uint64_t max_bytes;        /* 0: no limit */
  uint32_t alignment;        /* of the buffers; 0: any */
  uint32_t reserved;
  /* Host or device memory that a running job takes beside its buffers. */
  uint64_t scratch_bytes;
} nexus_caps;

enum {
  NEXUS_CAPS_WANTS_IMPORT = 1u, /* faster on buffers that it imported: the engine
                                   imports those that its jobs get */
  NEXUS_CAPS_FILLS = 2u,        /* calls nexus_job.fill */
  NEXUS_CAPS_DRAINS = 4u        /* calls nexus_job.drain */
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
  /* NULL, or writes the output where it is to go. Only for operations whose caps
   * say NEXUS_CAPS_DRAINS: to be called at most once, by the thread that made
   * the output and has it in its cache, when the job is done but for the call of
   * `done` with NEXUS_OK and the same output_bytes and flags. Blocks as long as
   * the writing takes. A job that ends otherwise leaves it out, and so may any:
   * then the engine writes. */
  void (*drain)(void *drain_context, uint64_t output_bytes, uint32_t flags);
  void *drain_context;
  /* Since 1.1. NULL, or told by a thread of the device's that a step of a long
   * job begins: its number, from 1, how many there are, and its name, which is
   * read during the call. Returns at once. Not after `done`. */
  void (*step)(void *step_context, uint32_t step, uint32_t steps,
               const char *name);
  void *step_context;
} nexus_job;

enum {
  /* age-open: the chunk that ends the output carried the final flag. */
  NEXUS_RESULT_FINAL_CHUNK = 1u,
  /* age-open: nothing was compared, and job->tags is filled as said there. Only
   * where it has room for all. */
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
  /* Optional: always well. NEXUS_OK and the answer in *health. Asked before a
   * device that failed is tried again; may take its time, and jobs may be under
   * way. */
  int32_t (*health)(nexus_device *device, nexus_health *health);
  /* Optional: no import. Makes host memory fast for the device, for instance
   * by pinning it. fd: a memfd behind it at offset 0, or -1. One piece of memory
   * may be imported by several devices. May take its time; jobs may be under
   * way on other memory. Not NEXUS_OK: the engine does without. */
  int32_t (*import_buffer)(nexus_device *device, void *memory, uint64_t bytes,
                           int fd, nexus_buffer **buffer);
  /* Optional, but not without import_buffer. Called before the memory goes, and
   * for all that are left before close(). No job uses it any more. */
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

/* The one exported symbol. Cheap: no device is touched. Called once a process
 * for a file, however many engines use it. */
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
 * With NEXUS_AGE_LAST the last chunk of the input, if it is full, is tried as
 * final first. Ends with the first chunk that is final
 * (NEXUS_RESULT_FINAL_CHUNK; what follows is left alone) or that fails
 * (NEXUS_E_DATA, error_offset its first byte).
 *
 * A device may leave the comparing to the host, where job->tags has room: it
 * opens every chunk once, as what is tried first, writes all plaintext, and
 * for each the tag that it computed: 16 bytes, in the order of the chunks. A
 * chunk of fewer than 16 bytes, and one of just 16 that is not chunk 0 of the
 * stream, is left out; there is at most one, at the end. The result is
 * NEXUS_OK with NEXUS_RESULT_TAGS and no other flag, output_bytes those of all
 * chunks that were opened, tags_bytes their number times 16. What the first tag
 * that differs means, and the second try, is the host's to find out. */
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

/* "digest" and "prove": a segment of a stream, at most 62668800 bytes. digest
 * yields 32 bytes, the segment's digest as eight little-endian words, each
 * below 2^31 - 2^24 + 1; prove yields the same and then the proof, the very
 * bytes that Plonky3's serial prover makes (docs/file-formats.md). */
#define NEXUS_JOB_DIGEST "digest"
#define NEXUS_JOB_PROVE "prove"
enum {
  NEXUS_SEGMENT_LAST = 1u /* the stream ends with this segment */
};
enum { NEXUS_SECURITY_CONJECTURED = 0u, NEXUS_SECURITY_PROVEN = 1u };
enum { NEXUS_WIRE_P3_0_6 = 0u, NEXUS_WIRE_P3_0_7 = 1u };
typedef struct nexus_digest_params {
  uint32_t size;
  uint32_t flags;
  uint64_t index; /* the segment's number in the stream, below 2^60 */
} nexus_digest_params;
typedef struct nexus_prove_params {
  uint32_t size;
  uint32_t flags;
  uint64_t index;
  uint32_t security;
  uint32_t wire;
} nexus_prove_params;

/* "verify": the input holds a proof from proof_offset to its end. No output.
 * NEXUS_E_DATA, with words, unless it holds for a segment of this length,
 * number and digest. */
#define NEXUS_JOB_VERIFY "verify"
typedef struct nexus_verify_params {
  uint32_t size;
  uint32_t flags;
  uint64_t index;
  uint64_t length;    /* bytes of the segment */
  uint32_t digest[8]; /* words, as above */
  uint32_t security;
  uint32_t wire;
  uint64_t proof_offset;
} nexus_verify_params;

#ifdef __cplusplus
}
#endif
#endif
