#include "age_stream.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <algorithm>
#include <limits>
#include <new>

#include "common/results.hpp"

namespace nexus::cpu {

using common::bad_data;
using common::failed;
using common::succeeded;
namespace {

// A job is one segment of memory, so this is no limit in practice; it keeps
// the arithmetic below from running over.
constexpr std::uint64_t max_input = std::uint64_t{1} << 62;
constexpr std::size_t nonce_bytes = 12;

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
                unsigned char (&nonce)[nonce_bytes]) noexcept {
  std::fill(nonce, nonce + nonce_bytes, static_cast<unsigned char>(0));
  for (std::size_t i = 0; i < 8; ++i) {
    nonce[10 - i] = static_cast<unsigned char>(number >> (8 * i));
  }
  nonce[11] = is_final ? 1 : 0;
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
  const unsigned char* input;
  unsigned char* output;
  std::size_t plain_bytes;
};

class age_stream::keyed {
 public:
  keyed(age_stream& stream, const nexus_job& job, int encrypt) noexcept
      : context_(stream.context_.get()),
        ready_(EVP_CipherInit_ex(context_, stream.cipher_.get(), nullptr,
                                 params_of(job).key, nullptr, encrypt) == 1) {}
  // Frees OpenSSL's inner state, which clears it; the context stays usable.
  ~keyed() {
    EVP_CIPHER_CTX_reset(context_);
    ERR_clear_error();
  }
  keyed(const keyed&) = delete;
  keyed& operator=(const keyed&) = delete;
  bool ready() const noexcept { return ready_; }

 private:
  EVP_CIPHER_CTX* context_;
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

std::unique_ptr<age_stream> age_stream::create() {
  std::unique_ptr<age_stream> stream(new (std::nothrow) age_stream);
  if (!stream) return nullptr;
  stream->cipher_.reset(
      EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr));
  stream->context_.reset(EVP_CIPHER_CTX_new());
  ERR_clear_error();
  if (!stream->cipher_ || !stream->context_) return nullptr;
  return stream;
}

bool age_stream::seal_chunk(const chunk& c) noexcept {
  EVP_CIPHER_CTX* ctx = context_.get();
  unsigned char nonce[nonce_bytes];
  make_nonce(c.number, c.is_final, nonce);
  int done = 0;
  if (EVP_EncryptInit_ex(ctx, nullptr, nullptr, nullptr, nonce) != 1) {
    return false;
  }
  if (c.plain_bytes > 0 &&
      EVP_EncryptUpdate(ctx, c.output, &done, c.input,
                        static_cast<int>(c.plain_bytes)) != 1) {
    return false;
  }
  unsigned char* tag = c.output + c.plain_bytes;
  return EVP_EncryptFinal_ex(ctx, tag, &done) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, age_tag, tag) == 1;
}

age_stream::opened age_stream::open_chunk(const chunk& c) noexcept {
  EVP_CIPHER_CTX* ctx = context_.get();
  unsigned char nonce[nonce_bytes];
  make_nonce(c.number, c.is_final, nonce);
  // SET_TAG reads only; its parameter is not const for history's sake.
  auto* tag = const_cast<unsigned char*>(c.input + c.plain_bytes);
  int done = 0;
  if (EVP_DecryptInit_ex(ctx, nullptr, nullptr, nullptr, nonce) != 1 ||
      EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, age_tag, tag) != 1) {
    return opened::broken;
  }
  if (c.plain_bytes > 0 &&
      EVP_DecryptUpdate(ctx, c.output, &done, c.input,
                        static_cast<int>(c.plain_bytes)) != 1) {
    return opened::broken;
  }
  unsigned char nothing[age_tag];
  return EVP_DecryptFinal_ex(ctx, nothing, &done) == 1 ? opened::yes
                                                       : opened::no;
}

age_stream::opened age_stream::try_chunk(const chunk& c, bool final_first,
                                         bool& is_final) noexcept {
  chunk attempt = c;
  attempt.is_final = final_first;
  opened answer = open_chunk(attempt);
  // A short chunk can only be the final one.
  if (answer == opened::no && c.plain_bytes == age_chunk) {
    attempt.is_final = !final_first;
    answer = open_chunk(attempt);
  }
  is_final = attempt.is_final;
  // Nothing that failed to authenticate stays in the output.
  if (answer != opened::yes) OPENSSL_cleanse(c.output, c.plain_bytes);
  return answer;
}

nexus_result age_stream::seal(const nexus_job& job,
                              const std::atomic<bool>& cancelled) noexcept {
  const keyed key(*this, job, 1);
  if (!key.ready()) return failed(NEXUS_E_DEVICE, "openssl refused the key");
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
    if (!seal_chunk(c)) {
      return failed(NEXUS_E_DEVICE, "openssl could not seal a chunk");
    }
  }
  return succeeded(job.input_bytes + chunks * age_tag);
}

nexus_result age_stream::open(const nexus_job& job,
                              const std::atomic<bool>& cancelled) noexcept {
  const keyed key(*this, job, 0);
  if (!key.ready()) return failed(NEXUS_E_DEVICE, "openssl refused the key");
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
    switch (try_chunk(c, final_first, is_final)) {
      case opened::no:
        return bad_data(plain, at, "the chunk does not authenticate");
      case opened::broken:
        return failed(NEXUS_E_DEVICE, "openssl could not open a chunk");
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
