#include "ward/core/random.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

#include "ward/core/error.h"
#include "ward/core/internal/aes_ctr.h"

namespace ward {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kBlockBytes = 16384;

SecretBytes system_key() {
    SecretBytes key(kKeyBytes);
    uint8_t* data = key.reveal_mutable().data();
    for (size_t done = 0; done < kKeyBytes;) {
        const ssize_t got = getrandom(data + done, kKeyBytes - done, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            throw Error(ErrorCode::kIo,
                        std::string("the system gives no random bytes: ") + std::strerror(errno));
        }
        done += static_cast<size_t>(got);
    }
    return key;
}

// Tells apart the processes that share a history. The marker lies in a page that the kernel zeroes
// in a child; where it cannot, a handler of fork() clears it.
class ForkGuard {
  public:
    ForkGuard() {
        const size_t page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        void* page =
            mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_WIPEONFORK
        (void)madvise(page, page_bytes, MADV_WIPEONFORK);
#endif
        marker_ = new (page) std::atomic<uint32_t>(1);
        instance_ = this;
        pthread_atfork(nullptr, nullptr, [] { instance_->marker_->store(0); });
    }

    // Another number in every process. Two threads of a new child may both count up; that costs a
    // key and breaks nothing. No lock: one might have been held while the process forked.
    uint64_t generation() {
        if (marker_->load(std::memory_order_acquire) == 0) {
            generation_.fetch_add(1);
            marker_->store(1, std::memory_order_release);
        }
        return generation_.load(std::memory_order_relaxed);
    }

  private:
    static inline ForkGuard* instance_ = nullptr;
    std::atomic<uint32_t>* marker_ = nullptr;
    std::atomic<uint64_t> generation_{0};
};

uint64_t fork_generation() {
    static ForkGuard* guard = new ForkGuard;  // never destroyed: generators may outlive statics
    return guard->generation();
}

template <typename T>
std::span<uint8_t> bytes_of(std::span<T> words) {
    return {reinterpret_cast<uint8_t*>(words.data()), words.size_bytes()};
}

}  // namespace

Random Random::from_system() { return Random(system_key()); }

Random::Random(SecretBytes key)
    : key_(std::move(key)),
      buffer_(kBlockBytes),
      used_(kBlockBytes),
      fork_generation_(fork_generation()) {}

void Random::start_block(uint8_t* out) {
    static const internal::AesCtrKernel kernel = internal::aes256_ctr_kernel();
    if (key_.size() != kKeyBytes) {
        throw Error(ErrorCode::kInternal, "random generator used after it was moved away");
    }
    kernel(key_.reveal().data(), key_.reveal_mutable().data(), out, kBlockBytes);
}

void Random::check_fork() {
    const uint64_t generation = fork_generation();
    if (generation == fork_generation_) [[likely]]
        return;
    key_ = system_key();
    used_ = buffer_.size();
    fork_generation_ = generation;
}

void Random::fill(std::span<uint8_t> out) {
    check_fork();
    for (; out.size() >= kBlockBytes; out = out.subspan(kBlockBytes)) start_block(out.data());
    while (!out.empty()) {
        if (used_ >= buffer_.size()) {
            start_block(buffer_.reveal_mutable().data());
            used_ = 0;
        }
        const size_t count = std::min(out.size(), buffer_.size() - used_);
        uint8_t* source = buffer_.reveal_mutable().data() + used_;
        std::memcpy(out.data(), source, count);
        OPENSSL_cleanse(source, count);
        used_ += count;
        out = out.subspan(count);
    }
}

void Random::fill(std::span<uint32_t> out) { fill(bytes_of(out)); }
void Random::fill(std::span<uint64_t> out) { fill(bytes_of(out)); }

uint64_t Random::next_u64() {
    uint64_t value = 0;
    if (used_ + sizeof value > buffer_.size()) {
        fill(bytes_of(std::span<uint64_t>(&value, 1)));
        return value;
    }
    check_fork();
    if (used_ == buffer_.size()) return next_u64();  // a child of fork: the buffer is void
    uint8_t* source = buffer_.reveal_mutable().data() + used_;
    std::memcpy(&value, source, sizeof value);
    std::memset(source, 0, sizeof value);
    used_ += sizeof value;
    return value;
}

double Random::uniform01() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

uint64_t Random::below(uint64_t n) {
    if (n == 0) throw Error(ErrorCode::kUsage, "below(n) needs n > 0, got 0");
    __extension__ using Wide = unsigned __int128;
    Wide product = static_cast<Wide>(next_u64()) * n;
    if (static_cast<uint64_t>(product) < n) {
        const uint64_t surplus = (0 - n) % n;  // 2^64 mod n
        while (static_cast<uint64_t>(product) < surplus) {
            product = static_cast<Wide>(next_u64()) * n;
        }
    }
    return static_cast<uint64_t>(product >> 64);
}

Random Random::split() {
    SecretBytes key(kKeyBytes);
    fill(key.reveal_mutable());
    return Random(std::move(key));
}

}  // namespace ward
