#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#include "ward/core/cpu.h"
#include "ward/mpc/internal/wide_kernels.h"

#define WARD_IFMA __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma")))
#define WARD_IFMA_INLINE \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma"), always_inline)) inline

namespace ward::mpc::internal {
namespace {

// VPMADD52 reads only the low 52 bits of a lane, so what stands above them does not matter.
struct Limbs {
    __m512i zero, one, two;
};
// Sums with the weights 1, 2^52 and 2^104. Up to 1024 products fit before a lane overflows (three
// below 2^52 each go to the middle sum); of the last one only the low 24 bits count.
struct Sums {
    __m512i zero, one, two;
};

// What is computed: 104 bits of u v below 2^64 each; 128 bits of them; of u of 128 bits; of both.
enum class Form { kNarrow, kWords, kWide, kFull };
constexpr bool is_long(Form form) { return form != Form::kNarrow; }
constexpr bool has_high_u(Form form) { return form == Form::kWide || form == Form::kFull; }

WARD_IFMA_INLINE Limbs limbs_of(__m512i low) {
    Limbs out;
    out.zero = low;
    out.one = _mm512_srli_epi64(low, kLimbBits);
    out.two = _mm512_setzero_si512();
    return out;
}
WARD_IFMA_INLINE Limbs limbs_of(__m512i low, __m512i high) {
    Limbs out = limbs_of(low);
    out.one = _mm512_or_si512(out.one, _mm512_slli_epi64(high, 64 - kLimbBits));
    out.two = _mm512_srli_epi64(high, kNarrowBits - 64);
    return out;
}

template <bool kHigh>
WARD_IFMA_INLINE Limbs load(const uint64_t* low, const uint64_t* high, size_t i) {
    const __m512i words = _mm512_loadu_si512(low + i);
    if constexpr (kHigh) return limbs_of(words, _mm512_loadu_si512(high + i));
    return limbs_of(words);
}

// Of eight numbers of 128 bits, low and high words apart.
WARD_IFMA_INLINE Limbs load(const Uint128* at) {
    const __m512i a = _mm512_loadu_si512(at), b = _mm512_loadu_si512(at + 4);
    const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
    return limbs_of(_mm512_permutex2var_epi64(a, even, b), _mm512_permutex2var_epi64(a, odd, b));
}

template <Form kForm>
WARD_IFMA_INLINE void add_product(Sums& s, const Limbs& u, const Limbs& v) {
    s.zero = _mm512_madd52lo_epu64(s.zero, u.zero, v.zero);
    s.one = _mm512_madd52hi_epu64(s.one, u.zero, v.zero);
    if constexpr (is_long(kForm)) s.two = _mm512_madd52lo_epu64(s.two, u.one, v.one);
    s.one = _mm512_madd52lo_epu64(s.one, u.one, v.zero);
    if constexpr (is_long(kForm)) s.two = _mm512_madd52hi_epu64(s.two, u.one, v.zero);
    s.one = _mm512_madd52lo_epu64(s.one, u.zero, v.one);
    if constexpr (is_long(kForm)) s.two = _mm512_madd52hi_epu64(s.two, u.zero, v.one);
    if constexpr (has_high_u(kForm)) s.two = _mm512_madd52lo_epu64(s.two, u.two, v.zero);
    if constexpr (kForm == Form::kFull) s.two = _mm512_madd52lo_epu64(s.two, u.zero, v.two);
}

// The same for a factor of one limb.
template <Form kForm>
WARD_IFMA_INLINE void add_multiple(Sums& s, const Limbs& u, __m512i factor) {
    s.zero = _mm512_madd52lo_epu64(s.zero, u.zero, factor);
    s.one = _mm512_madd52hi_epu64(s.one, u.zero, factor);
    s.one = _mm512_madd52lo_epu64(s.one, u.one, factor);
    if constexpr (is_long(kForm)) s.two = _mm512_madd52hi_epu64(s.two, u.one, factor);
    if constexpr (has_high_u(kForm)) s.two = _mm512_madd52lo_epu64(s.two, u.two, factor);
}

WARD_IFMA_INLINE uint64_t sum_of_lanes(__m512i lanes) {
    return static_cast<uint64_t>(_mm512_reduce_add_epi64(lanes));
}

WARD_IFMA_INLINE Uint128 total(const Sums& s) {
    return Uint128{sum_of_lanes(s.zero)} + (Uint128{sum_of_lanes(s.one)} << kLimbBits) +
           (Uint128{sum_of_lanes(s.two)} << kNarrowBits);
}

WARD_IFMA_INLINE void clear(Sums& s) { s.zero = s.one = s.two = _mm512_setzero_si512(); }

constexpr size_t kRowsOfU = 2;
constexpr size_t kRowsOfV = 4;
constexpr size_t kChunk = 512;  // all rows of a chunk stay in the second-level cache

template <Form kForm>
WARD_IFMA void add_block(const WideRows& u, size_t u_row, const WideRows& v, size_t v_row,
                         size_t begin, size_t end, size_t v_count, Uint128* table) {
    Sums sums[kRowsOfU][kRowsOfV];
    for (auto& row : sums) {
        for (Sums& s : row) clear(s);
    }
    constexpr bool kHigh = has_high_u(kForm);
    const uint64_t *low[kRowsOfU], *high[kRowsOfU] = {nullptr, nullptr}, *vs[kRowsOfV];
    for (size_t j = 0; j < kRowsOfU; ++j) {
        low[j] = u.low_of(u_row + j);
        if constexpr (kHigh) high[j] = u.high_of(u_row + j);
    }
    for (size_t k = 0; k < kRowsOfV; ++k) vs[k] = v.low_of(v_row + k);
    for (size_t i = begin; i < end; i += 8) {
        const Limbs u0 = load<kHigh>(low[0], high[0], i), u1 = load<kHigh>(low[1], high[1], i);
#pragma GCC unroll 4
        for (size_t k = 0; k < kRowsOfV; ++k) {
            const Limbs vk = load<false>(vs[k], nullptr, i);
            add_product<kForm>(sums[0][k], u0, vk);
            add_product<kForm>(sums[1][k], u1, vk);
        }
    }
    for (size_t j = 0; j < kRowsOfU; ++j) {
        for (size_t k = 0; k < kRowsOfV; ++k) table[j * v_count + k] += total(sums[j][k]);
    }
}

template <Form kForm>
WARD_IFMA void table_of(const WideRows& u, size_t u_count, const WideRows& v, size_t v_count,
                        size_t length, Uint128* table) {
    std::fill_n(table, u_count * v_count, Uint128{0});
    for (size_t begin = 0; begin < length; begin += kChunk) {
        const size_t end = std::min(begin + kChunk, length);
        for (size_t j = 0; j < u_count; j += kRowsOfU) {
            for (size_t k = 0; k < v_count; k += kRowsOfV) {
                add_block<kForm>(u, j, v, k, begin, end, v_count, table + j * v_count + k);
            }
        }
    }
}

WARD_IFMA void wide_table_ifma(const WideRows& u, size_t u_count, const WideRows& v, size_t v_count,
                               size_t length, Uint128* table) {
    const auto variant = u.high != nullptr ? table_of<Form::kWide> : table_of<Form::kWords>;
    variant(u, u_count, v, v_count, length, table);
}

WARD_IFMA void narrow_table_ifma(const WideRows& u, size_t u_count, const WideRows& v,
                                 size_t v_count, size_t length, Uint128* table) {
    table_of<Form::kNarrow>(u, u_count, v, v_count, length, table);
    for (size_t i = 0; i < u_count * v_count; ++i) table[i] &= (Uint128{1} << kNarrowBits) - 1;
}

WARD_IFMA void full_block(const Uint128* u, const Uint128* v, size_t stride, size_t length,
                          size_t count, Uint128* table) {
    Sums sums[kRowsOfU][kRowsOfU];
    for (auto& row : sums) {
        for (Sums& s : row) clear(s);
    }
    for (size_t i = 0; i < length; i += 8) {
        const Limbs us[] = {load(u + i), load(u + stride + i)};
        const Limbs vs[] = {load(v + i), load(v + stride + i)};
        for (size_t j = 0; j < kRowsOfU; ++j) {
            for (size_t k = 0; k < kRowsOfU; ++k)
                add_product<Form::kFull>(sums[j][k], us[j], vs[k]);
        }
    }
    for (size_t j = 0; j < kRowsOfU; ++j) {
        for (size_t k = 0; k < kRowsOfU; ++k) table[j * count + k] += total(sums[j][k]);
    }
}

WARD_IFMA void full_table_ifma(const Uint128* u, const Uint128* v, size_t count, size_t length,
                               Uint128* table) {
    std::fill_n(table, count * count, Uint128{0});
    for (size_t begin = 0; begin < length; begin += kChunk) {
        const size_t part = std::min(kChunk, length - begin);
        for (size_t j = 0; j < count; j += kRowsOfU) {
            for (size_t k = 0; k < count; k += kRowsOfU) {
                full_block(u + j * length + begin, v + k * length + begin, length, part, count,
                           table + j * count + k);
            }
        }
    }
}

// Low and high words of eight sums.
struct Words {
    __m512i low, high;
};
WARD_IFMA_INLINE Words words_of(const Sums& s) {
    const __m512i mask = _mm512_set1_epi64((int64_t{1} << kLimbBits) - 1);
    const __m512i middle = _mm512_add_epi64(s.one, _mm512_srli_epi64(s.zero, kLimbBits));
    Words out;
    out.low = _mm512_or_si512(_mm512_and_si512(s.zero, mask), _mm512_slli_epi64(middle, kLimbBits));
    out.high = _mm512_add_epi64(_mm512_srli_epi64(middle, 64 - kLimbBits),
                                _mm512_slli_epi64(s.two, kNarrowBits - 64));
    return out;
}

// 2^shift times 104 bits.
WARD_IFMA_INLINE Words shifted(Words w, int shift) {
    const __m128i by = _mm_cvtsi32_si128(shift), rest = _mm_cvtsi32_si128(64 - shift);
    const __m512i mask = _mm512_set1_epi64((int64_t{1} << (kNarrowBits - 64)) - 1);
    w.high = _mm512_and_si512(w.high, mask);
    w.high = _mm512_or_si512(_mm512_sll_epi64(w.high, by), _mm512_srl_epi64(w.low, rest));
    w.low = _mm512_sll_epi64(w.low, by);
    return w;
}

WARD_IFMA_INLINE void store(const Words& w, Uint128* out) {
    const __m512i first = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
    const __m512i second = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi64(w.low, first, w.high));
    _mm512_storeu_si512(out + 4, _mm512_permutex2var_epi64(w.low, second, w.high));
}

WARD_IFMA_INLINE __m512i one_factor(Uint128 factor) {
    return _mm512_set1_epi64(static_cast<int64_t>(factor));
}

WARD_IFMA void full_fold_ifma(const Uint128* factors, const Uint128* pieces, size_t count,
                              size_t length, Uint128* out) {
    for (size_t i = 0; i < length; i += 8) {
        Sums even, odd;  // because the sums of one depend on one another
        clear(even);
        clear(odd);
        for (size_t j = 0; j < count; j += 2) {
            const Uint128* at = pieces + j * length + i;
            add_multiple<Form::kWide>(even, load(at), one_factor(factors[j]));
            add_multiple<Form::kWide>(odd, load(at + length), one_factor(factors[j + 1]));
        }
        even.zero = _mm512_add_epi64(even.zero, odd.zero);
        even.one = _mm512_add_epi64(even.one, odd.one);
        even.two = _mm512_add_epi64(even.two, odd.two);
        store(words_of(even), out + i);
    }
}

// kVectors at a time, because the sums of one depend on one another.
template <Form kForm, size_t kVectors>
WARD_IFMA_INLINE void fold_columns(const uint64_t* factors, const WideRows& u, size_t count,
                                   size_t i, int shift, Uint128* out) {
    Sums sums[kVectors];
    for (Sums& s : sums) clear(s);
    for (size_t j = 0; j < count; ++j) {
        const __m512i factor = _mm512_set1_epi64(static_cast<int64_t>(factors[j]));
        const uint64_t* low = u.low_of(j);
        const uint64_t* high = has_high_u(kForm) ? u.high_of(j) : nullptr;
#pragma GCC unroll 4
        for (size_t k = 0; k < kVectors; ++k) {
            add_multiple<kForm>(sums[k], load<has_high_u(kForm)>(low, high, i + 8 * k), factor);
        }
    }
    for (size_t k = 0; k < kVectors; ++k) {
        const Words words = words_of(sums[k]);
        store(kForm == Form::kNarrow ? shifted(words, shift) : words, out + i + 8 * k);
    }
}

template <Form kForm>
WARD_IFMA void fold_of(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                       int shift, Uint128* out) {
    size_t i = 0;
    for (; i + 32 <= length; i += 32) fold_columns<kForm, 4>(factors, u, count, i, shift, out);
    for (; i < length; i += 8) fold_columns<kForm, 1>(factors, u, count, i, shift, out);
}

WARD_IFMA void wide_fold_ifma(const uint64_t* factors, const WideRows& u, size_t count,
                              size_t length, Uint128* out) {
    const auto variant = u.high != nullptr ? fold_of<Form::kWide> : fold_of<Form::kWords>;
    variant(factors, u, count, length, 0, out);
}

WARD_IFMA void narrow_fold_ifma(const uint64_t* factors, const WideRows& u, size_t count,
                                size_t length, int shift, Uint128* out) {
    fold_of<Form::kNarrow>(factors, u, count, length, shift, out);
}

WARD_IFMA void scale_narrow_ifma(const uint64_t* factors, const uint64_t* u, size_t count,
                                 uint64_t* out) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m512i factor = _mm512_loadu_si512(factors + i);
        _mm512_storeu_si512(out + i, _mm512_mullo_epi64(factor, _mm512_loadu_si512(u + i)));
    }
    portable_wide_kernels().scale_narrow(factors + i, u + i, count - i, out + i);
}

WARD_IFMA void scale_wide_ifma(const uint64_t* factors, const uint64_t* u, size_t count,
                               uint64_t* out, uint64_t* high) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        Sums s;
        clear(s);
        add_product<Form::kWords>(s, limbs_of(_mm512_loadu_si512(u + i)),
                                  limbs_of(_mm512_loadu_si512(factors + i)));
        const Words words = words_of(s);
        _mm512_storeu_si512(out + i, words.low);
        _mm512_storeu_si512(high + i, words.high);
    }
    portable_wide_kernels().scale_wide(factors + i, u + i, count - i, out + i, high + i);
}

}  // namespace

const WideKernels* ifma_wide_kernels() {
    static constexpr WideKernels kKernels = {wide_table_ifma,   narrow_table_ifma, full_table_ifma,
                                             full_fold_ifma,    wide_fold_ifma,    narrow_fold_ifma,
                                             scale_narrow_ifma, scale_wide_ifma};
    static const bool has = isa() == Isa::kAvx512 && cpu_features().avx512_ifma;
    return has ? &kKernels : nullptr;
}

}  // namespace ward::mpc::internal
#endif
