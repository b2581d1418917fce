#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include "ward/mpc/internal/row_sums.h"

#include <algorithm>
#include <array>

#include "ward/core/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ward::mpc::internal {
namespace {

uint64_t selected(const uint8_t* selection, size_t row, size_t sum) {
    return selection[row / kRowGroup * kRowSums + sum] >> (row % kRowGroup) & 1;
}

#if defined(__x86_64__)
#define WARD_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

constexpr size_t kGroup = kRowGroup;
constexpr size_t kSubsets = size_t{1} << kGroup;
constexpr size_t kInRegisters = kRowSums / 2;

constexpr size_t kGroups = 16;  // whose subsets stay in the first-level cache
constexpr size_t kInBlock = kGroups * kGroup;

// sums[m] = sum of the vectors in the set m.
WARD_AVX512 inline void sums_of_subsets(const __m512i* vectors, __m512i* sums) {
    sums[0] = _mm512_setzero_si512();
    for (size_t j = 0; j < kGroup; ++j) {
        const size_t half = size_t{1} << j;
        for (size_t m = 0; m < half; ++m) sums[half + m] = _mm512_add_epi64(sums[m], vectors[j]);
    }
}

// Where the sums of the selected subsets of a block of groups stand, in bytes from the first.
struct Places {
    Places(const uint8_t* selection, size_t groups) {
        for (size_t g = 0; g < groups; ++g) {
            for (size_t r = 0; r < kRowSums; ++r) {
                const size_t subset = selection[g * kRowSums + r] & (kSubsets - 1);
                of[g * kRowSums + r] =
                    static_cast<uint16_t>((g * kSubsets + subset) * sizeof(__m512i));
            }
        }
    }
    std::array<uint16_t, kGroups * kRowSums> of;
};

// out[r out_stride] = the sums at these places, for the lanes of `lanes`, with what is there in
// `kept` lanes.
WARD_AVX512 void add_sums(const Places& places, const __m512i* sums, size_t groups, __mmask8 lanes,
                          __mmask8 kept, uint64_t* out, size_t out_stride) {
    const auto* const base = reinterpret_cast<const uint8_t*>(sums);
    for (size_t begin = 0; begin < kRowSums; begin += kInRegisters) {
        __m512i total[kInRegisters];
        for (size_t r = 0; r < kInRegisters; ++r) {
            total[r] = _mm512_maskz_loadu_epi64(kept, out + (begin + r) * out_stride);
        }
        for (size_t g = 0; g < groups; ++g) {
            const uint16_t* place = places.of.data() + g * kRowSums + begin;
#pragma GCC unroll 24
            for (size_t r = 0; r < kInRegisters; ++r) {
                total[r] = _mm512_add_epi64(total[r], _mm512_load_si512(base + place[r]));
            }
        }
        for (size_t r = 0; r < kInRegisters; ++r) {
            _mm512_mask_storeu_epi64(out + (begin + r) * out_stride, lanes, total[r]);
        }
    }
}

__mmask8 first_lanes(size_t count) {
    return static_cast<__mmask8>(count >= 8 ? 0xff : (1u << count) - 1);
}

WARD_AVX512 void row_sums_avx512(const uint8_t* selection, const uint64_t* x, size_t rows,
                                 size_t cols, uint64_t* out, size_t out_stride) {
    __m512i sums[kGroups * kSubsets];
    for (size_t begin = 0; begin < rows; begin += kInBlock) {
        const size_t end = std::min(rows, begin + kInBlock);
        const size_t groups = (end - begin + kGroup - 1) / kGroup;
        const Places places(selection + begin / kGroup * kRowSums, groups);
        for (size_t c = 0; c < cols; c += 8) {
            const __mmask8 lanes = first_lanes(cols - c);
            for (size_t g = 0; g < groups; ++g) {
                __m512i vectors[kGroup];
                for (size_t j = 0; j < kGroup; ++j) {
                    const size_t row = begin + g * kGroup + j;
                    const uint64_t* at = x + std::min(row, end - 1) * cols + c;
                    _mm_prefetch(at + 32, _MM_HINT_T0);
                    vectors[j] = _mm512_maskz_loadu_epi64(row < end ? lanes : __mmask8{0}, at);
                }
                sums_of_subsets(vectors, sums + g * kSubsets);
            }
            add_sums(places, sums, groups, lanes, begin > 0 ? lanes : __mmask8{0}, out + c,
                     out_stride);
        }
    }
}

// Rows and columns of 8 x 8 words.
WARD_AVX512 inline void transpose_8x8(__m512i* v) {
    const __m512i low = _mm512_set_epi64(14, 6, 12, 4, 10, 2, 8, 0);
    const __m512i high = _mm512_set_epi64(15, 7, 13, 5, 11, 3, 9, 1);
    const __m512i low_pair = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    const __m512i high_pair = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    __m512i a[8], b[8];
    for (size_t i = 0; i < 8; i += 2) {
        a[i] = _mm512_permutex2var_epi64(v[i], low, v[i + 1]);
        a[i + 1] = _mm512_permutex2var_epi64(v[i], high, v[i + 1]);
    }
    for (size_t i = 0; i < 8; i += 4) {
        for (size_t k = 0; k < 2; ++k) {
            b[i + k] = _mm512_permutex2var_epi64(a[i + k], low_pair, a[i + k + 2]);
            b[i + k + 2] = _mm512_permutex2var_epi64(a[i + k], high_pair, a[i + k + 2]);
        }
    }
    for (size_t i = 0; i < 4; ++i) {
        v[i] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0x44);
        v[i + 4] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0xee);
    }
}

WARD_AVX512 void column_sums_avx512(const uint8_t* selection, const uint64_t* x, size_t rows,
                                    size_t cols, uint64_t* out, size_t out_stride) {
    __m512i sums[kGroups * kSubsets];
    for (size_t begin = 0; begin < cols; begin += kInBlock) {
        const size_t end = std::min(cols, begin + kInBlock);
        const size_t groups = (end - begin + kGroup - 1) / kGroup;
        const Places places(selection + begin / kGroup * kRowSums, groups);
        for (size_t j = 0; j < rows; j += 8) {
            const __mmask8 lanes = first_lanes(rows - j);
            for (size_t g = 0; g < groups; g += 2) {
                const size_t c = begin + g * kGroup;
                __m512i block[8];
                for (size_t k = 0; k < 8; ++k) {
                    const __mmask8 columns = j + k < rows ? first_lanes(end - c) : __mmask8{0};
                    block[k] =
                        _mm512_maskz_loadu_epi64(columns, x + std::min(j + k, rows - 1) * cols + c);
                }
                transpose_8x8(block);
                sums_of_subsets(block, sums + g * kSubsets);
                sums_of_subsets(block + kGroup, sums + (g + 1) * kSubsets);  // unused if too many
            }
            add_sums(places, sums, groups, lanes, begin > 0 ? lanes : __mmask8{0}, out + j,
                     out_stride);
        }
    }
}
#endif

}  // namespace

void row_sums_portable(const uint8_t* selection, const uint64_t* x, size_t rows, size_t cols,
                       uint64_t* out, size_t out_stride) {
    for (size_t r = 0; r < kRowSums; ++r) std::fill_n(out + r * out_stride, cols, uint64_t{0});
    for (size_t j = 0; j < rows; ++j) {
        for (size_t r = 0; r < kRowSums; ++r) {
            const uint64_t factor = selected(selection, j, r);
            for (size_t c = 0; c < cols; ++c) out[r * out_stride + c] += factor * x[j * cols + c];
        }
    }
}

void column_sums_portable(const uint8_t* selection, const uint64_t* x, size_t rows, size_t cols,
                          uint64_t* out, size_t out_stride) {
    for (size_t r = 0; r < kRowSums; ++r) std::fill_n(out + r * out_stride, rows, uint64_t{0});
    for (size_t j = 0; j < rows; ++j) {
        for (size_t c = 0; c < cols; ++c) {
            for (size_t r = 0; r < kRowSums; ++r) {
                out[r * out_stride + j] += selected(selection, c, r) * x[j * cols + c];
            }
        }
    }
}

void row_sums(const uint8_t* selection, const uint64_t* x, size_t rows, size_t cols, uint64_t* out,
              size_t out_stride) {
#if defined(__x86_64__)
    if (rows > 0 && isa() == Isa::kAvx512) {
        return row_sums_avx512(selection, x, rows, cols, out, out_stride);
    }
#endif
    row_sums_portable(selection, x, rows, cols, out, out_stride);
}

void column_sums(const uint8_t* selection, const uint64_t* x, size_t rows, size_t cols,
                 uint64_t* out, size_t out_stride) {
#if defined(__x86_64__)
    if (cols > 0 && isa() == Isa::kAvx512) {
        return column_sums_avx512(selection, x, rows, cols, out, out_stride);
    }
#endif
    column_sums_portable(selection, x, rows, cols, out, out_stride);
}

}  // namespace ward::mpc::internal
