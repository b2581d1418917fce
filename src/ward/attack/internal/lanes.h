// 16 lanes of a row at a time, the last ones filled up with zeros. For functions marked
// WARD_SIMD_CLONES.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "ward/core/simd.h"

#define WARD_INLINE inline __attribute__((always_inline))

namespace ward::attack {

typedef double Double16 __attribute__((vector_size(128)));
typedef int32_t Int16 __attribute__((vector_size(64)));
typedef uint32_t UInt16 __attribute__((vector_size(64)));

// The first `count` of 16 (all of them where there are more).
WARD_INLINE Float16 load_some(const float* source, int64_t count) {
    if (count >= 16) return load16(source);
    Float16 v{};
    std::memcpy(&v, source, static_cast<size_t>(count) * sizeof(float));
    return v;
}

WARD_INLINE void store_some(Float16 v, float* target, int64_t count) {
    std::memcpy(target, &v, static_cast<size_t>(std::min<int64_t>(count, 16)) * sizeof(float));
}

WARD_INLINE Double16 widen(Float16 v) { return __builtin_convertvector(v, Double16); }

}  // namespace ward::attack
