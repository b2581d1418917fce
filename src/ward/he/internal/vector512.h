// Eight residues in a register: the modular arithmetic shared by the AVX-512 IFMA kernels.
// Private to the *_avx512ifma.cc files, which run only where the processor has these instructions.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include "ward/he/internal/modulus.h"

#define WARD_IFMA __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512ifma")))
#define WARD_IFMA_INLINE WARD_IFMA __attribute__((always_inline)) inline

namespace ward::he::internal {

WARD_IFMA_INLINE __m512i load8(const uint64_t* p) { return _mm512_loadu_si512(p); }
WARD_IFMA_INLINE void store8(uint64_t* p, __m512i v) { _mm512_storeu_si512(p, v); }
WARD_IFMA_INLINE __m512i all8(uint64_t x) { return _mm512_set1_epi64(static_cast<int64_t>(x)); }

// x - m where x >= m, else x: the difference wraps to a large number otherwise.
WARD_IFMA_INLINE __m512i fold(__m512i x, __m512i m) {
    return _mm512_min_epu64(x, _mm512_sub_epi64(x, m));
}

struct Factor8 {
    __m512i value, quotient;
};
WARD_IFMA_INLINE Factor8 all8(Factor w) { return {all8(w.value), all8(w.quotient)}; }

struct Modulus8 {
    __m512i q, q2, q4, negative, mask, r52, r52_quotient, inverse52;
};
WARD_IFMA_INLINE Modulus8 modulus8(const Modulus& m) {
    const uint64_t q = m.value();
    return {all8(q),
            all8(2 * q),
            all8(4 * q),
            all8((uint64_t{1} << 52) - q),
            all8(kMask52),
            all8(m.r52().value),
            all8(m.r52().quotient),
            all8(m.inverse52())};
}

// y w mod q up to one q too many, for y < 2^52.
WARD_IFMA_INLINE __m512i multiply_lazy(const Modulus8& m, __m512i y, const Factor8& w) {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i quotient = _mm512_madd52hi_epu64(zero, y, w.quotient);
    const __m512i low = _mm512_madd52lo_epu64(zero, y, w.value);
    return _mm512_and_si512(_mm512_madd52lo_epu64(low, quotient, m.negative), m.mask);
}

// hi 2^52 + lo mod q, for hi, lo < 2^52; see Modulus::reduce_wide.
WARD_IFMA_INLINE __m512i reduce_wide(const Modulus8& m, __m512i lo, __m512i hi) {
    __m512i quotient = _mm512_madd52hi_epu64(_mm512_setzero_si512(), hi, m.r52_quotient);
    quotient = _mm512_madd52hi_epu64(quotient, lo, m.inverse52);
    __m512i rest = _mm512_madd52lo_epu64(lo, hi, m.r52);
    rest = _mm512_and_si512(_mm512_madd52lo_epu64(rest, quotient, m.negative), m.mask);
    return fold(fold(rest, m.q2), m.q);
}

// Sums of the halves of up to kFewTerms products of a number below 2^52 and one below 2^49: the
// upper half stays below 2^52.
inline constexpr size_t kFewTerms = 7;
WARD_IFMA_INLINE __m512i reduce_few_halves(const Modulus8& m, __m512i lo, __m512i hi) {
    hi = _mm512_add_epi64(hi, _mm512_srli_epi64(lo, 52));
    return reduce_wide(m, _mm512_and_si512(lo, m.mask), hi);
}

// The same of up to 2^11.
WARD_IFMA_INLINE __m512i reduce_halves(const Modulus8& m, __m512i lo, __m512i hi) {
    hi = _mm512_add_epi64(hi, _mm512_srli_epi64(lo, 52));
    lo = _mm512_and_si512(lo, m.mask);
    const __m512i top = _mm512_srli_epi64(hi, 52);
    hi = reduce_wide(m, _mm512_and_si512(hi, m.mask), top);
    return reduce_wide(m, lo, hi);
}

WARD_IFMA_INLINE __m512i multiply_reduced(const Modulus8& m, __m512i a, __m512i b) {
    const __m512i zero = _mm512_setzero_si512();
    return reduce_wide(m, _mm512_madd52lo_epu64(zero, a, b), _mm512_madd52hi_epu64(zero, a, b));
}

}  // namespace ward::he::internal
