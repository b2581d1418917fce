// Bits of many numbers side by side: plane j holds bit j of each number, 64 numbers to a word.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ward::mpc::internal {

// In place: bit j of word i goes to bit i of word j (Hacker's Delight, section 7-3).
void transpose_64x64(uint64_t* words);

inline constexpr size_t kGroupBits = 4;
inline constexpr size_t kGroupLevels = 15;

// Groups that hold `bits` bits, and the levels [group >= 1] ... of all of them.
inline constexpr size_t groups_of(size_t bits) { return (bits + kGroupBits - 1) / kGroupBits; }
inline constexpr size_t bits_of_group(size_t bits, size_t group) {
    return bits - group * kGroupBits < kGroupBits ? bits - group * kGroupBits : kGroupBits;
}
inline constexpr size_t levels_of_group(size_t bits, size_t group) {
    return (size_t{1} << bits_of_group(bits, group)) - 1;
}
inline constexpr size_t level_planes(size_t bits) {
    return bits / kGroupBits * kGroupLevels + ((size_t{1} << bits % kGroupBits) - 1);
}

// planes[j][word] for the lowest 64 bits of `count` numbers, word < words_for_bits(count).
void to_planes(const uint64_t* values, size_t count, uint64_t* planes);

// out[j - 1] = [number >= j] for the number with the given bit planes; one word of each plane.
void group_levels(const uint64_t* bits, size_t num_bits, uint64_t* out);

// The list entries that b chooses: generate = u_(size - b), propagate = u_(size-1-b) ^ u_(size-b),
// where u_0 is `always` (all ones at one party, 0 at the other) and u_size = 0.
struct Carry {
    uint64_t generate;
    uint64_t propagate;
};
Carry choose_carry(const uint64_t* levels, uint64_t always, const uint64_t* b_bits,
                   size_t num_bits);

}  // namespace ward::mpc::internal
