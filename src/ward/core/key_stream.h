// A stream of uniform bytes that all who hold the same key draw alike: the common randomness of
// parties in a protocol.
//
// AES-256-CTR with fast key erasure, the construction of core/random: blocks of 16 KiB, the key
// replaced at each, so that who reads the state learns nothing of what was drawn before. For noise,
// keys and shares of one party's own use `Random`; a KeyStream is for values that two parties must
// both know, and its key must come from a Random and travel over an authenticated channel only.
//
// How a stream is cut into calls does not change it: calls of any lengths give the same bytes.
//
// Threat: who does not hold the key cannot tell the bytes from uniform ones. Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ward/core/bytes.h"

namespace ward {

class KeyStream {
  public:
    static constexpr size_t kKeyBytes = 32;

    // Throws Error kUsage unless the key has kKeyBytes bytes.
    explicit KeyStream(SecretBytes key);

    KeyStream(KeyStream&&) noexcept = default;
    KeyStream& operator=(KeyStream&&) noexcept = default;

    void fill(std::span<uint8_t> out);
    void fill(std::span<uint64_t> out);

    uint64_t bytes_drawn() const { return drawn_; }

  private:
    void start_block(uint8_t* out);

    SecretBytes key_;
    SecretBytes buffer_;  // the current block; what has been handed out is zero
    size_t used_ = 0;
    uint64_t drawn_ = 0;
};

}  // namespace ward
