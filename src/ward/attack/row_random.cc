#include "ward/attack/internal/row_random.h"

#include <cmath>

#include "ward/attack/internal/lanes.h"

namespace ward::attack {
namespace {

uint64_t splitmix64(uint64_t& state) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct Lanes {
    UInt16 s[4];
};

Lanes seeded(uint64_t seed) {
    Lanes lanes;
    for (UInt16& word : lanes.s) {
        for (int lane = 0; lane < 16; lane += 2) {
            const uint64_t z = splitmix64(seed);
            word[lane] = static_cast<uint32_t>(z);
            word[lane + 1] = static_cast<uint32_t>(z >> 32);
        }
    }
    return lanes;
}

WARD_INLINE UInt16 turned(UInt16 v, int bits) { return (v << bits) | (v >> (32 - bits)); }

// xoshiro128++, once in each lane.
WARD_INLINE UInt16 next(Lanes& lanes) {
    UInt16* s = lanes.s;
    const UInt16 result = turned(s[0] + s[3], 7) + s[0];
    const UInt16 shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = turned(s[3], 11);
    return result;
}

// -2 ln u for u = bits / 2^32, or half the least of these for 0. With u = 2^k m, m in [0.71, 1.42),
// and z = (m - 1) / (m + 1) it is ln m = 2 (z + z^3 / 3 + ...), of which what is left out after z^9
// is below 2e-9.
WARD_INLINE Float16 minus_twice_log(UInt16 bits) {
    const Float16 u = (__builtin_convertvector(bits >> 1, Int16) == 0)
                          ? Float16{} + 0x1p-33f
                          : __builtin_convertvector((Int16)(bits >> 1), Float16) * 0x1p-31f;
    const Int16 moved = (Int16)u - 0x3f3504f3;  // of sqrt(1/2)
    const Int16 k = moved >> 23;
    const Float16 m = (Float16)((moved & 0x7fffff) + 0x3f3504f3);
    const Float16 z = (m - 1) / (m + 1), square = z * z;
    Float16 series = Float16{} + 1.0f / 9;
    series = series * square + 1.0f / 7;
    series = series * square + 1.0f / 5;
    series = series * square + 1.0f / 3;
    series = series * square + 1.0f;
    return -2 * (__builtin_convertvector(k, Float16) * 0.69314718f + 2 * z * series);
}

WARD_INLINE Float16 root(Float16 v) {
    for (int lane = 0; lane < 16; ++lane) v[lane] = std::sqrt(v[lane]);
    return v;
}

// Cosine and sine of a turn by bits / 2^32 of the circle: the quarter by the two highest bits, the
// angle within it, in [-pi/4, pi/4), by the series, of which what is left out is below 4e-8.
struct Direction {
    Float16 cosine, sine;
};

WARD_INLINE Direction direction(UInt16 bits) {
    const Float16 angle =
        __builtin_convertvector((Int16)(bits << 2) >> 1, Float16) * (0x1p-31f * 1.57079633f);
    const Float16 square = angle * angle;
    Float16 s = Float16{} + 1.0f / 362880;
    s = s * square - 1.0f / 5040;
    s = s * square + 1.0f / 120;
    s = s * square - 1.0f / 6;
    s = (s * square + 1.0f) * angle;
    Float16 c = Float16{} + 1.0f / 40320;
    c = c * square - 1.0f / 720;
    c = c * square + 1.0f / 24;
    c = c * square - 0.5f;
    c = c * square + 1.0f;
    const UInt16 quarter = bits >> 30;
    const auto odd = (quarter & 1) != 0, back = (quarter & 2) != 0;
    const Float16 first = odd ? -s : c, second = odd ? c : s;
    return {back ? -first : first, back ? -second : second};
}

}  // namespace

WARD_SIMD_CLONES void gaussian_row(uint64_t seed, float* out, int64_t n) {
    Lanes lanes = seeded(seed);
    for (int64_t j = 0; j < n; j += 32) {
        const Float16 radius = root(minus_twice_log(next(lanes)));
        const Direction turn = direction(next(lanes));
        store_some(radius * turn.cosine, out + j, n - j);
        if (j + 16 < n) store_some(radius * turn.sine, out + j + 16, n - j - 16);
    }
}

WARD_SIMD_CLONES void sign_row(uint64_t seed, float* out, int64_t n) {
    Lanes lanes = seeded(seed);
    for (int64_t j = 0; j < n; j += 16) {
        const UInt16 bits = (next(lanes) & 0x80000000u) | 0x3f800000u;  // the sign of 1.0
        store_some((Float16)bits, out + j, n - j);
    }
}

}  // namespace ward::attack
