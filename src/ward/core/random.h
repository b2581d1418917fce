// The generator behind every key, share, noise value and sampled batch of Ward.
//
// AES-256-CTR (NIST SP 800-38A) with fast key erasure (Bernstein 2017): the stream comes in blocks
// of 16 KiB; the first 32 bytes of each block's key stream replace the key before the rest is
// handed out, and bytes are wiped as they are handed out. Who reads the state at some moment learns
// nothing about values handed out before. The key comes from getrandom(2). A child of fork() takes
// a fresh key before its first value, so it never repeats its parent's stream; so do children made
// by a bare clone(), where the system knows MADV_WIPEONFORK (Linux 4.14).
//
// Threat: an observer of any number of outputs, who must not predict the others; a reader of memory
// after the fact. Not an attacker inside this process.
//
// All instruction sets give the same bytes for the same key. How a stream is cut into calls does
// not change it, but for stretches of 16 KiB in one call, which are made where they are wanted,
// past what lies in the buffer. There is no public way to choose the key: the generator with a seed
// lives in core/testing and is not linked into programs.
//
// Thread safety: none; give each thread its own by `split`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include "ward/core/bytes.h"

namespace ward {

class Random {
  public:
    // A generator with a fresh 256-bit key from the system. Throws Error kIo when the system has
    // no randomness to give.
    static Random from_system();

    Random(Random&&) noexcept = default;
    Random& operator=(Random&&) noexcept = default;
    Random(const Random&) = delete;
    Random& operator=(const Random&) = delete;

    // Uniform bytes; >= 3 GB/s on one core with vector AES.
    void fill(std::span<uint8_t> out);
    void fill(std::span<uint32_t> out);
    void fill(std::span<uint64_t> out);

    uint64_t next_u64();

    // Uniform on the multiples of 2^-53 in [0, 1).
    double uniform01();

    // Uniform on 0, ..., n - 1 without bias (Lemire 2019, exact rejection; variable time). Throws
    // Error kUsage when n is 0.
    uint64_t below(uint64_t n);

    // An independent generator, keyed by 32 bytes of this one.
    Random split();

    // A uniform permutation of the items (Fisher-Yates); the same on every platform, unlike
    // std::shuffle.
    template <typename T>
    void shuffle(std::span<T> items) {
        for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
    }

    // A std::uniform_random_bit_generator.
    using result_type = uint64_t;
    static constexpr uint64_t min() { return 0; }
    static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }
    uint64_t operator()() { return next_u64(); }

  private:
    // Only core/testing/seeded_random.cc, which no program links, defines this class.
    friend class SeededRandomAccess;

    explicit Random(SecretBytes key);

    void start_block(uint8_t* out);  // writes kBlockBytes and replaces the key
    void check_fork();

    SecretBytes key_;
    SecretBytes buffer_;  // the current block; what has been handed out is zero
    size_t used_ = 0;     // bytes of the buffer handed out
    uint64_t fork_generation_ = 0;
};

}  // namespace ward
