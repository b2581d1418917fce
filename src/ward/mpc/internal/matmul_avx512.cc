#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#endif
#include <immintrin.h>

#include "ward/mpc/internal/matmul.h"

#define WARD_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

namespace ward::mpc::internal {

// 24 sums of 8 lanes in registers; each factor of A comes as a broadcast from memory.
WARD_AVX512 void tile_avx512(const uint64_t* a, const uint64_t* b, size_t inner, uint64_t* tile) {
    __m512i sum[kTileRows][3];
    for (auto& row : sum) row[0] = row[1] = row[2] = _mm512_setzero_si512();
    for (size_t k = 0; k < inner; ++k) {
        const __m512i b0 = _mm512_loadu_si512(b + k * kTileCols);
        const __m512i b1 = _mm512_loadu_si512(b + k * kTileCols + 8);
        const __m512i b2 = _mm512_loadu_si512(b + k * kTileCols + 16);
#pragma GCC unroll 8
        for (size_t r = 0; r < kTileRows; ++r) {
            const __m512i factor = _mm512_set1_epi64(static_cast<long long>(a[k * kTileRows + r]));
            sum[r][0] = _mm512_add_epi64(sum[r][0], _mm512_mullo_epi64(factor, b0));
            sum[r][1] = _mm512_add_epi64(sum[r][1], _mm512_mullo_epi64(factor, b1));
            sum[r][2] = _mm512_add_epi64(sum[r][2], _mm512_mullo_epi64(factor, b2));
        }
    }
    for (size_t r = 0; r < kTileRows; ++r) {
        for (size_t v = 0; v < 3; ++v) _mm512_storeu_si512(tile + r * kTileCols + 8 * v, sum[r][v]);
    }
}

}  // namespace ward::mpc::internal
