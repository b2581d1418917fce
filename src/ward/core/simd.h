// Portable 16-lane vectors. A function marked WARD_SIMD_CLONES is compiled for AVX-512, AVX2 and
// the baseline and chosen at load time; with contraction off (see CMakeLists.txt) every variant
// performs the same operations in the same order.
#pragma once

#include <cstring>

#define WARD_SIMD_CLONES \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

namespace ward {

typedef float Float16 __attribute__((vector_size(64)));

inline __attribute__((always_inline)) Float16 load16(const float* source) {
    Float16 v;
    std::memcpy(&v, source, sizeof(v));
    return v;
}

inline __attribute__((always_inline)) double add_lanes(Float16 v) {
    double total = 0;
    for (int lane = 0; lane < 16; ++lane) total += static_cast<double>(v[lane]);
    return total;
}

}  // namespace ward
