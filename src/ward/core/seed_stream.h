// A long public byte string from a short public seed: what a sender puts in place of uniform data.
//
// Block by block of 4 KiB, AES-256-CTR as in `Random`: the first 32 bytes of each block's key
// stream are the key of the next, the rest are handed out. The first key is
// SHA-256("ward seed stream 1" | seed | index as 8 bytes, little endian), so the streams of one
// seed are independent and each can be had without the others. Part of wire formats: it does not
// change. All instruction sets give the same bytes.
//
// Threat: none to confidentiality, seed and stream are public; the stream must look uniform to
// those who did not choose the seed. Never make keys or noise with it: use `Random`.
//
// Thread safety: as std::vector.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace ward {

using PublicSeed = std::array<uint8_t, 32>;

class SeedStream {
  public:
    static constexpr size_t kBlockWords = 512;

    SeedStream(const PublicSeed& seed, uint64_t index);

    // The next 512 words of the stream, little endian.
    void next_block(std::span<uint64_t, kBlockWords> out);

  private:
    std::array<uint8_t, 32> key_;
};

}  // namespace ward
