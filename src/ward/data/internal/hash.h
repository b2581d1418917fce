// A fast 64-bit hash for dictionaries and for the split of rows. Not cryptographic.
//
// Its values decide which rows are held out, so they are part of Ward's behaviour: a change moves
// rows between train and test (split_test.cc pins them). Little-endian machines only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace ward::data::internal {

inline uint64_t load64(const void* from) {
    uint64_t word;
    std::memcpy(&word, from, 8);
    return word;
}

inline uint64_t load32(const void* from) {
    uint32_t word;
    std::memcpy(&word, from, 4);
    return word;
}

// Both halves of the 128-bit product, folded.
inline uint64_t fold(uint64_t a, uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline constexpr uint64_t kHashKey0 = 0x9e3779b97f4a7c15ull;  // odd constants: golden ratio,
inline constexpr uint64_t kHashKey1 = 0xd1342543de82ef95ull;  // and an LCG multiplier (Steele 2021)

inline uint64_t hash_bytes(const void* data, size_t size, uint64_t seed = 0) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    uint64_t state = seed ^ fold(size + 1, kHashKey0);
    size_t left = size;
    for (; left > 8; left -= 8, bytes += 8) state = fold(state ^ load64(bytes), kHashKey1);
    uint64_t tail = 0;
    if (left == 8) {
        tail = load64(bytes);
    } else if (left >= 4) {
        tail = load32(bytes) | load32(bytes + left - 4) << 32;
    } else if (left > 0) {
        tail = bytes[0] | uint64_t{bytes[left / 2]} << 8 | uint64_t{bytes[left - 1]} << 16;
    }
    state = fold(state ^ tail ^ kHashKey0, kHashKey1);
    return fold(state ^ (state >> 32), kHashKey0);
}

inline uint64_t hash_text(std::string_view text, uint64_t seed = 0) {
    return hash_bytes(text.data(), text.size(), seed);
}

}  // namespace ward::data::internal
