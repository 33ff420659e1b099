#include "age_stream.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "common/results.hpp"

namespace nexus::cpu {

using common::bad_data;
using common::failed;
using common::succeeded;
namespace {

// A job is one segment of memory, so this is no limit in practice; it keeps
// the arithmetic below from running over.
constexpr std::uint64_t max_input = std::uint64_t{1} << 62;
// Bytes after which a process loads libipsec-mb: that costs it as much time as
// the faster loops save over half as many.
constexpr std::uint64_t bytes_that_pay = 32 << 20;
static_assert(age_tag == cipher_tag_bytes);

const nexus_age_params& params_of(const nexus_job& job) noexcept {
  return *static_cast<const nexus_age_params*>(job.params);
}

bool is_last(const nexus_job& job) noexcept {
  return (params_of(job).flags & NEXUS_AGE_LAST) != 0;
}

// Flags are known, and every chunk's number fits in 64 bits.
bool fits(const nexus_job& job, std::uint64_t chunks) noexcept {
  const nexus_age_params& params = params_of(job);
  constexpr std::uint32_t known = NEXUS_AGE_LAST;
  if ((params.flags & ~known) != 0 || job.input_bytes > max_input) return false;
  constexpr auto highest = std::numeric_limits<std::uint64_t>::max();
  return chunks == 0 || chunks - 1 <= highest - params.first_chunk;
}

// The chunk's number, 11 bytes big-endian, then the final flag: age v1.
void make_nonce(std::uint64_t number, bool is_final,
                std::uint8_t (&nonce)[cipher_nonce_bytes]) noexcept {
  std::fill(nonce, nonce + cipher_nonce_bytes, static_cast<std::uint8_t>(0));
  for (std::size_t i = 0; i < 8; ++i) {
    nonce[10 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  }
  nonce[11] = is_final ? 1 : 0;
}

// Whether this process, with this job, has seen enough of them.
bool loading_pays(std::uint64_t job_bytes) noexcept {
  static std::atomic<std::uint64_t> seen{0};
  return seen.fetch_add(job_bytes, std::memory_order_relaxed) + job_bytes >=
         bytes_that_pay;
}

std::uint64_t chunks_to_seal(const nexus_job& job) noexcept {
  const std::uint64_t chunks =
      job.input_bytes / age_chunk + (job.input_bytes % age_chunk != 0 ? 1 : 0);
  return chunks == 0 && is_last(job) ? 1 : chunks;
}

}  // namespace

struct age_stream::chunk {
  std::uint64_t number;
  bool is_final;
  const std::uint8_t* input;
  std::uint8_t* output;
  std::size_t plain_bytes;
};

// Forgets the key when a job ends, however it ends.
class age_stream::keyed {
 public:
  keyed(age_stream& stream, const nexus_job& job, direction way) noexcept
      : cipher_(stream.cipher_for(job)),
        ready_(cipher_.set_key(params_of(job).key, way)) {}
  ~keyed() { cipher_.forget_key(); }
  keyed(const keyed&) = delete;
  keyed& operator=(const keyed&) = delete;
  bool ready() const noexcept { return ready_; }
  chunk_cipher& cipher() const noexcept { return cipher_; }

 private:
  chunk_cipher& cipher_;
  bool ready_;
};

std::int32_t check_age_seal(const nexus_job& job) noexcept {
  const std::uint64_t chunks = chunks_to_seal(job);
  if (!fits(job, chunks)) return NEXUS_E_ARGUMENT;
  const bool whole = job.input_bytes % age_chunk == 0;
  if (!whole && !is_last(job)) return NEXUS_E_ARGUMENT;
  const bool empty_chunk = job.input_bytes == 0 && is_last(job);
  if (empty_chunk && params_of(job).first_chunk != 0) return NEXUS_E_ARGUMENT;
  return job.input_bytes + chunks * age_tag <= job.output_capacity
             ? NEXUS_OK
             : NEXUS_E_ARGUMENT;
}

std::int32_t check_age_open(const nexus_job& job) noexcept {
  const std::uint64_t full = job.input_bytes / age_sealed;
  const std::uint64_t rest = job.input_bytes % age_sealed;
  if (!fits(job, full + (rest != 0 ? 1 : 0))) return NEXUS_E_ARGUMENT;
  const std::uint64_t last = rest > age_tag ? rest - age_tag : 0;
  return full * age_chunk + last <= job.output_capacity ? NEXUS_OK
                                                        : NEXUS_E_ARGUMENT;
}

cipher_choice parse_cipher_choice(const char* name) noexcept {
  if (name == nullptr) return cipher_choice::fastest;
  if (std::strcmp(name, "openssl") == 0) return cipher_choice::openssl;
  if (std::strcmp(name, "ipsec-mb") == 0) return cipher_choice::ipsec_mb;
  return cipher_choice::fastest;
}

std::unique_ptr<age_stream> age_stream::create(cipher_choice choice) {
  std::unique_ptr<age_stream> stream(new (std::nothrow) age_stream(choice));
  if (!stream) return nullptr;
  stream->openssl_ = make_openssl_cipher();
  return stream->openssl_ ? std::move(stream) : nullptr;
}

chunk_cipher& age_stream::cipher_for(const nexus_job& job) noexcept {
  const bool look = !looked_ && choice_ != cipher_choice::openssl;
  if (look &&
      (choice_ == cipher_choice::ipsec_mb || loading_pays(job.input_bytes))) {
    looked_ = true;
    faster_ = make_ipsec_mb_cipher();
  }
  chunk_cipher& chosen = faster_ ? *faster_ : *openssl_;
  last_cipher_ = chosen.name();
  return chosen;
}

bool age_stream::seal_chunk(chunk_cipher& cipher, const chunk& c) noexcept {
  std::uint8_t nonce[cipher_nonce_bytes];
  make_nonce(c.number, c.is_final, nonce);
  return cipher.seal({nonce, c.input, c.output, c.plain_bytes},
                     c.output + c.plain_bytes);
}

opened age_stream::open_chunk(chunk_cipher& cipher, const chunk& c) noexcept {
  std::uint8_t nonce[cipher_nonce_bytes];
  make_nonce(c.number, c.is_final, nonce);
  return cipher.open({nonce, c.input, c.output, c.plain_bytes},
                     c.input + c.plain_bytes);
}

opened age_stream::try_chunk(chunk_cipher& cipher, const chunk& c,
                             bool final_first, bool& is_final) noexcept {
  chunk attempt = c;
  attempt.is_final = final_first;
  opened answer = open_chunk(cipher, attempt);
  // A short chunk can only be the final one.
  if (answer == opened::no && c.plain_bytes == age_chunk) {
    attempt.is_final = !final_first;
    answer = open_chunk(cipher, attempt);
  }
  is_final = attempt.is_final;
  // Nothing that failed to authenticate stays in the output.
  if (answer != opened::yes) OPENSSL_cleanse(c.output, c.plain_bytes);
  return answer;
}

nexus_result age_stream::seal(const nexus_job& job,
                              const std::atomic<bool>& cancelled) noexcept {
  const keyed key(*this, job, direction::seal);
  if (!key.ready()) return failed(NEXUS_E_DEVICE, "the cipher refused the key");
  const std::uint64_t chunks = chunks_to_seal(job);
  for (std::uint64_t i = 0; i < chunks; ++i) {
    if (cancelled.load(std::memory_order_relaxed)) {
      return failed(NEXUS_E_CANCELLED, nullptr);
    }
    const std::uint64_t left = job.input_bytes - i * age_chunk;
    const chunk c{
        params_of(job).first_chunk + i, is_last(job) && i + 1 == chunks,
        job.input + i * age_chunk, job.output + i * age_sealed,
        static_cast<std::size_t>(std::min<std::uint64_t>(left, age_chunk))};
    if (!seal_chunk(key.cipher(), c)) {
      return failed(NEXUS_E_DEVICE, "the cipher could not seal a chunk");
    }
  }
  return succeeded(job.input_bytes + chunks * age_tag);
}

nexus_result age_stream::open(const nexus_job& job,
                              const std::atomic<bool>& cancelled) noexcept {
  const keyed key(*this, job, direction::open);
  if (!key.ready()) return failed(NEXUS_E_DEVICE, "the cipher refused the key");
  std::uint64_t at = 0, plain = 0;
  std::uint64_t number = params_of(job).first_chunk;
  while (at < job.input_bytes) {
    if (cancelled.load(std::memory_order_relaxed)) {
      return failed(NEXUS_E_CANCELLED, nullptr);
    }
    const std::uint64_t left = job.input_bytes - at;
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(left, age_sealed));
    if (size < age_tag) return bad_data(plain, at, "the chunk is cut short");
    if (size == age_tag && number != 0) {
      return bad_data(plain, at, "the final chunk is empty");
    }
    const chunk c{number, false, job.input + at, job.output + plain,
                  size - age_tag};
    const bool final_first =
        size < age_sealed || (is_last(job) && left == size);
    bool is_final = false;
    switch (try_chunk(key.cipher(), c, final_first, is_final)) {
      case opened::no:
        return bad_data(plain, at, "the chunk does not authenticate");
      case opened::broken:
        return failed(NEXUS_E_DEVICE, "the cipher could not open a chunk");
      case opened::yes:
        break;
    }
    at += size;
    plain += c.plain_bytes;
    ++number;
    if (is_final) return succeeded(plain, NEXUS_RESULT_FINAL_CHUNK);
  }
  return succeeded(plain);
}

}  // namespace nexus::cpu
