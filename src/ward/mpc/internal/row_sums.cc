#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include "ward/mpc/internal/row_sums.h"

#include <vector>

#include "ward/core/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ward::mpc::internal {
namespace {

#if defined(__x86_64__)
#define WARD_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

constexpr size_t kGroup = 4;
constexpr size_t kSubsets = size_t{1} << kGroup;
constexpr size_t kInRegisters = kRowSums / 2;

// For each group of rows and each result the subset that belongs to it, times 8 columns.
std::vector<uint8_t> subsets_of(const uint64_t* selection, size_t rows) {
    const size_t groups = (rows + kGroup - 1) / kGroup;
    std::vector<uint8_t> out(groups * kRowSums, 0);
    for (size_t j = 0; j < rows; ++j) {
        uint8_t* subset = &out[j / kGroup * kRowSums];
        for (size_t r = 0; r < kRowSums; ++r) {
            subset[r] = static_cast<uint8_t>(subset[r] | ((selection[j] >> r & 1) << (j % kGroup)));
        }
    }
    return out;
}

// sums[m] = sum of the rows in the set m, for up to eight columns.
WARD_AVX512 inline void sums_of_subsets(const uint64_t* x, size_t rows, size_t stride,
                                        __mmask8 columns, __m512i* sums) {
    sums[0] = _mm512_setzero_si512();
    for (size_t j = 0; j < kGroup; ++j) {
        const __m512i row =
            j < rows ? _mm512_maskz_loadu_epi64(columns, x + j * stride) : _mm512_setzero_si512();
        const size_t half = size_t{1} << j;
        for (size_t m = 0; m < half; ++m) sums[half + m] = _mm512_add_epi64(sums[m], row);
    }
}

constexpr size_t kGroups = 16;  // whose subsets stay in the first-level cache

// For up to kGroups groups of rows and eight columns.
WARD_AVX512 void add_columns(const uint8_t* subsets, const uint64_t* x, size_t rows, size_t stride,
                             __mmask8 columns, uint64_t* out, size_t out_stride) {
    const size_t groups = (rows + kGroup - 1) / kGroup;
    __m512i sums[kGroups * kSubsets];
    for (size_t g = 0; g < groups; ++g) {
        sums_of_subsets(x + g * kGroup * stride, rows - g * kGroup, stride, columns,
                        sums + g * kSubsets);
    }
    for (size_t begin = 0; begin < kRowSums; begin += kInRegisters) {
        __m512i total[kInRegisters];
        for (size_t r = 0; r < kInRegisters; ++r) {
            total[r] = _mm512_maskz_loadu_epi64(columns, out + (begin + r) * out_stride);
        }
        for (size_t g = 0; g < groups; ++g) {
            const uint8_t* subset = subsets + g * kRowSums + begin;
#pragma GCC unroll 24
            for (size_t r = 0; r < kInRegisters; ++r) {
                total[r] = _mm512_add_epi64(total[r], sums[g * kSubsets + subset[r]]);
            }
        }
        for (size_t r = 0; r < kInRegisters; ++r) {
            _mm512_mask_storeu_epi64(out + (begin + r) * out_stride, columns, total[r]);
        }
    }
}

WARD_AVX512 void add_row_sums_avx512(const uint64_t* selection, const uint64_t* x, size_t rows,
                                     size_t cols, uint64_t* out, size_t out_stride) {
    const std::vector<uint8_t> subsets = subsets_of(selection, rows);
    constexpr size_t kRows = kGroups * kGroup;
    for (size_t j = 0; j < rows; j += kRows) {
        const size_t count = rows - j < kRows ? rows - j : kRows;
        for (size_t c = 0; c < cols; c += 8) {
            const auto columns =
                static_cast<__mmask8>(cols - c >= 8 ? 0xff : (1u << (cols - c)) - 1);
            add_columns(&subsets[j / kGroup * kRowSums], x + j * cols + c, count, cols, columns,
                        out + c, out_stride);
        }
    }
}
#endif

}  // namespace

void add_row_sums_portable(const uint64_t* selection, const uint64_t* x, size_t rows, size_t cols,
                           uint64_t* out, size_t out_stride) {
    for (size_t j = 0; j < rows; ++j) {
        for (size_t r = 0; r < kRowSums; ++r) {
            const uint64_t factor = selection[j] >> r & 1;
            for (size_t c = 0; c < cols; ++c) out[r * out_stride + c] += factor * x[j * cols + c];
        }
    }
}

void add_row_sums(const uint64_t* selection, const uint64_t* x, size_t rows, size_t cols,
                  uint64_t* out, size_t out_stride) {
#if defined(__x86_64__)
    if (isa() == Isa::kAvx512) {
        return add_row_sums_avx512(selection, x, rows, cols, out, out_stride);
    }
#endif
    add_row_sums_portable(selection, x, rows, cols, out, out_stride);
}

}  // namespace ward::mpc::internal
