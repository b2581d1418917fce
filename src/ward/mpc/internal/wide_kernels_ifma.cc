#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#include "ward/mpc/internal/wide_kernels.h"

#define WARD_IFMA __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma")))
#define WARD_IFMA_INLINE \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma"), always_inline)) inline

namespace ward::mpc::internal {
namespace {

// Limbs of 52, 52 and 24 bits; VPMADD52 reads only the low 52 bits of a lane, so what stands above
// them does not matter.
struct Limbs {
    __m512i zero, one, two;
};
// Sums with the weights 1, 2^52 and 2^104. Up to 1024 products fit before a lane overflows (three
// below 2^52 each go to the middle sum); of the last one only the low 24 bits count.
struct Sums {
    __m512i zero, one, two;
};

template <bool kHigh>
WARD_IFMA_INLINE Limbs load(const WideRows& rows, size_t at) {
    Limbs out;
    out.zero = _mm512_loadu_si512(rows.low + at);
    out.one = _mm512_srli_epi64(out.zero, 52);
    if constexpr (kHigh) {
        const __m512i high = _mm512_loadu_si512(rows.high + at);
        out.one = _mm512_or_si512(out.one, _mm512_slli_epi64(high, 12));
        out.two = _mm512_srli_epi64(high, 40);
    }
    return out;
}

// sums += u v for v = v0 + 2^52 v1 below 2^64.
template <bool kHigh>
WARD_IFMA_INLINE void add_product(Sums& s, const Limbs& u, __m512i v0, __m512i v1) {
    s.zero = _mm512_madd52lo_epu64(s.zero, u.zero, v0);
    s.one = _mm512_madd52hi_epu64(s.one, u.zero, v0);
    s.two = _mm512_madd52lo_epu64(s.two, u.one, v1);
    s.one = _mm512_madd52lo_epu64(s.one, u.one, v0);
    s.two = _mm512_madd52hi_epu64(s.two, u.one, v0);
    s.one = _mm512_madd52lo_epu64(s.one, u.zero, v1);
    s.two = _mm512_madd52hi_epu64(s.two, u.zero, v1);
    if constexpr (kHigh) s.two = _mm512_madd52lo_epu64(s.two, u.two, v0);
}

WARD_IFMA_INLINE uint64_t sum_of_lanes(__m512i lanes) {
    return static_cast<uint64_t>(_mm512_reduce_add_epi64(lanes));
}

WARD_IFMA_INLINE Uint128 total(const Sums& s) {
    return Uint128{sum_of_lanes(s.zero)} + (Uint128{sum_of_lanes(s.one)} << 52) +
           (Uint128{sum_of_lanes(s.two)} << 104);
}

constexpr size_t kRowsOfU = 2;
constexpr size_t kRowsOfV = 4;
constexpr size_t kChunk = 512;  // all rows of a chunk stay in the second-level cache

template <bool kHigh>
WARD_IFMA void add_block(const WideRows& u, size_t u_at, const uint64_t* v, size_t v_stride,
                         size_t length, size_t v_count, Uint128* table) {
    Sums sums[kRowsOfU][kRowsOfV];
    for (auto& row : sums) {
        for (Sums& s : row) s.zero = s.one = s.two = _mm512_setzero_si512();
    }
    for (size_t i = 0; i < length; i += 8) {
        const Limbs u0 = load<kHigh>(u, u_at + i), u1 = load<kHigh>(u, u_at + u.stride + i);
#pragma GCC unroll 4
        for (size_t k = 0; k < kRowsOfV; ++k) {
            const __m512i v0 = _mm512_loadu_si512(v + k * v_stride + i);
            const __m512i v1 = _mm512_srli_epi64(v0, 52);
            add_product<kHigh>(sums[0][k], u0, v0, v1);
            add_product<kHigh>(sums[1][k], u1, v0, v1);
        }
    }
    for (size_t j = 0; j < kRowsOfU; ++j) {
        for (size_t k = 0; k < kRowsOfV; ++k) table[j * v_count + k] += total(sums[j][k]);
    }
}

template <bool kHigh>
WARD_IFMA void table_of(const WideRows& u, size_t u_count, const uint64_t* v, size_t v_stride,
                        size_t v_count, size_t length, Uint128* table) {
    std::fill_n(table, u_count * v_count, Uint128{0});
    for (size_t begin = 0; begin < length; begin += kChunk) {
        const size_t count = std::min(kChunk, length - begin);
        for (size_t j = 0; j < u_count; j += kRowsOfU) {
            for (size_t k = 0; k < v_count; k += kRowsOfV) {
                add_block<kHigh>(u, j * u.stride + begin, v + k * v_stride + begin, v_stride, count,
                                 v_count, table + j * v_count + k);
            }
        }
    }
}

// Eight numbers of 128 bits.
WARD_IFMA_INLINE void store(const Sums& s, Uint128* out) {
    const __m512i mask = _mm512_set1_epi64((int64_t{1} << 52) - 1);
    const __m512i middle = _mm512_add_epi64(s.one, _mm512_srli_epi64(s.zero, 52));
    const __m512i low =
        _mm512_or_si512(_mm512_and_si512(s.zero, mask), _mm512_slli_epi64(middle, 52));
    const __m512i high =
        _mm512_add_epi64(_mm512_srli_epi64(middle, 12), _mm512_slli_epi64(s.two, 40));
    const __m512i first = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
    const __m512i second = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi64(low, first, high));
    _mm512_storeu_si512(out + 4, _mm512_permutex2var_epi64(low, second, high));
}

template <bool kHigh>
WARD_IFMA void fold_of(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                       Uint128* out) {
    for (size_t i = 0; i < length; i += 8) {
        Sums s;
        s.zero = s.one = s.two = _mm512_setzero_si512();
        for (size_t j = 0; j < count; ++j) {
            const __m512i factor = _mm512_set1_epi64(static_cast<int64_t>(factors[j]));
            add_product<kHigh>(s, load<kHigh>(u, j * u.stride + i), factor,
                               _mm512_srli_epi64(factor, 52));
        }
        store(s, out + i);
    }
}

}  // namespace

WARD_IFMA void wide_table_ifma(const WideRows& u, size_t u_count, const uint64_t* v,
                               size_t v_stride, size_t v_count, size_t length, Uint128* table) {
    const auto variant = u.high != nullptr ? table_of<true> : table_of<false>;
    variant(u, u_count, v, v_stride, v_count, length, table);
}

WARD_IFMA void wide_fold_ifma(const uint64_t* factors, const WideRows& u, size_t count,
                              size_t length, Uint128* out) {
    const auto variant = u.high != nullptr ? fold_of<true> : fold_of<false>;
    variant(factors, u, count, length, out);
}

}  // namespace ward::mpc::internal
#endif
