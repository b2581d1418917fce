#include <bit>

#include "ward/he/internal/kernels.h"
#include "ward/he/internal/loops.h"
#include "ward/he/internal/ntt_avx512ifma.h"
#include "ward/he/internal/vector512.h"

namespace ward::he::internal {
namespace {

WARD_IFMA void add(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out,
                   size_t n) {
    const __m512i m = all8(q.value());
    for (size_t i = 0; i < n; i += 8) {
        store8(out + i, fold(_mm512_add_epi64(load8(a + i), load8(b + i)), m));
    }
}

WARD_IFMA void subtract(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out,
                        size_t n) {
    const __m512i m = all8(q.value());
    for (size_t i = 0; i < n; i += 8) {
        const __m512i difference = _mm512_sub_epi64(load8(a + i), load8(b + i));
        store8(out + i, _mm512_min_epu64(difference, _mm512_add_epi64(difference, m)));
    }
}

WARD_IFMA void negate(const Modulus& q, const uint64_t* a, uint64_t* out, size_t n) {
    const __m512i m = all8(q.value());
    for (size_t i = 0; i < n; i += 8) {
        store8(out + i, fold(_mm512_sub_epi64(m, load8(a + i)), m));
    }
}

WARD_IFMA void multiply(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out,
                        size_t n) {
    const Modulus8 m = modulus8(q);
    for (size_t i = 0; i < n; i += 8) {
        store8(out + i, multiply_reduced(m, load8(a + i), load8(b + i)));
    }
}

WARD_IFMA void multiply_add(const Modulus& q, const uint64_t* a, const uint64_t* b,
                            const uint64_t* addend, uint64_t* out, size_t n) {
    const Modulus8 m = modulus8(q);
    for (size_t i = 0; i < n; i += 8) {
        const __m512i product = multiply_reduced(m, load8(a + i), load8(b + i));
        store8(out + i, fold(_mm512_add_epi64(product, load8(addend + i)), m.q));
    }
}

WARD_IFMA void multiply_factor(const Modulus& q, const uint64_t* a, Factor w, uint64_t* out,
                               size_t n) {
    const Modulus8 m = modulus8(q);
    const Factor8 factor = all8(w);
    for (size_t i = 0; i < n; i += 8) {
        store8(out + i, fold(multiply_lazy(m, load8(a + i), factor), m.q));
    }
}

WARD_IFMA void subtract_multiply(const Modulus& q, const uint64_t* a, const uint64_t* b, Factor w,
                                 uint64_t* out, size_t n) {
    const Modulus8 m = modulus8(q);
    const Factor8 factor = all8(w);
    for (size_t i = 0; i < n; i += 8) {
        const __m512i difference =
            _mm512_sub_epi64(_mm512_add_epi64(load8(a + i), m.q), load8(b + i));
        store8(out + i, fold(multiply_lazy(m, difference, factor), m.q));
    }
}

WARD_IFMA void shift_reduce(const Modulus& q, const uint64_t* a, uint64_t shift, uint64_t* out,
                            size_t n) {
    const Modulus8 m = modulus8(q);
    const __m512i addend = all8(shift), zero = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += 8) {
        const __m512i x = _mm512_add_epi64(load8(a + i), addend);
        const __m512i quotient = _mm512_madd52hi_epu64(zero, x, m.inverse52);
        const __m512i rest = _mm512_madd52lo_epu64(x, quotient, m.negative);
        store8(out + i, fold(_mm512_and_si512(rest, m.mask), m.q));
    }
}

struct Halves {
    __m512i lo, hi;
};

WARD_IFMA_INLINE void accumulate(Halves& sum, __m512i x, __m512i y) {
    sum.lo = _mm512_madd52lo_epu64(sum.lo, x, y);
    sum.hi = _mm512_madd52hi_epu64(sum.hi, x, y);
}

WARD_IFMA_INLINE __m512i reduce_sum(const Modulus8& m, const Halves& sum, bool few) {
    return few ? reduce_few_halves(m, sum.lo, sum.hi) : reduce_halves(m, sum.lo, sum.hi);
}

WARD_IFMA void inner_product(const Modulus& q, const uint64_t* const* x, const uint64_t* const* y,
                             size_t count, uint64_t* out, size_t n) {
    const Modulus8 m = modulus8(q);
    const bool few = count <= kFewTerms;
    for (size_t i = 0; i < n; i += 8) {
        Halves sum{_mm512_setzero_si512(), _mm512_setzero_si512()};
        for (size_t d = 0; d < count; ++d) accumulate(sum, load8(x[d] + i), load8(y[d] + i));
        store8(out + i, reduce_sum(m, sum, few));
    }
}

// Two registers of each output at a time hide the latency of the multiplier.
WARD_IFMA void inner_product_pair(const Modulus& q, const uint64_t* const* x,
                                  const uint64_t* const* y0, const uint64_t* const* y1,
                                  size_t count, uint64_t* out0, uint64_t* out1, size_t n) {
    const Modulus8 m = modulus8(q);
    const bool few = count <= kFewTerms;
    const __m512i zero = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += 16) {
        Halves a0{zero, zero}, a1{zero, zero}, b0{zero, zero}, b1{zero, zero};
        for (size_t d = 0; d < count; ++d) {
            const __m512i first = load8(x[d] + i), second = load8(x[d] + i + 8);
            accumulate(a0, first, load8(y0[d] + i));
            accumulate(a1, first, load8(y1[d] + i));
            accumulate(b0, second, load8(y0[d] + i + 8));
            accumulate(b1, second, load8(y1[d] + i + 8));
        }
        store8(out0 + i, reduce_sum(m, a0, few));
        store8(out1 + i, reduce_sum(m, a1, few));
        store8(out0 + i + 8, reduce_sum(m, b0, few));
        store8(out1 + i + 8, reduce_sum(m, b1, few));
    }
}

WARD_IFMA void linear_combination(const Modulus& q, const uint64_t* const* x,
                                  const uint64_t* scalars, size_t count, uint64_t* out, size_t n) {
    const Modulus8 m = modulus8(q);
    const bool few = count <= kFewTerms;
    const __m512i zero = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += 16) {
        Halves a{zero, zero}, b{zero, zero};
        for (size_t d = 0; d < count; ++d) {
            const __m512i scalar = all8(scalars[d]);
            accumulate(a, load8(x[d] + i), scalar);
            accumulate(b, load8(x[d] + i + 8), scalar);
        }
        store8(out + i, reduce_sum(m, a, few));
        store8(out + i + 8, reduce_sum(m, b, few));
    }
}

WARD_IFMA void rounded_sum(const uint64_t* const* x, const double* inverses, size_t count,
                           uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; i += 8) {
        __m512d sum = _mm512_set1_pd(0.5);
        for (size_t d = 0; d < count; ++d) {
            const __m512d value = _mm512_cvtepu64_pd(load8(x[d] + i));
            sum = _mm512_add_pd(sum, _mm512_mul_pd(value, _mm512_set1_pd(inverses[d])));
        }
        store8(out + i, _mm512_cvttpd_epu64(sum));
    }
}

WARD_IFMA void gather(const uint64_t* in, const uint32_t* places, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; i += 8) {
        const __m256i index = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(places + i));
        store8(out + i, _mm512_i32gather_epi64(index, in, 8));
    }
}

WARD_IFMA size_t accept_uniform(const Modulus& q, const uint64_t* words, size_t count,
                                uint64_t* out, size_t wanted) {
    const uint64_t mask = (uint64_t{1} << q.bits()) - 1;
    const __m512i mask8 = all8(mask), q8 = all8(q.value());
    size_t found = 0, i = 0;
    for (; i + 8 <= count && found + 8 <= wanted; i += 8) {
        const __m512i candidate = _mm512_and_si512(load8(words + i), mask8);
        const __mmask8 good = _mm512_cmplt_epu64_mask(candidate, q8);
        store8(out + found, _mm512_maskz_compress_epi64(good, candidate));
        found += static_cast<size_t>(std::popcount(static_cast<unsigned>(good)));
    }
    for (; i < count && found < wanted; ++i) {
        const uint64_t candidate = words[i] & mask;
        if (candidate < q.value()) out[found++] = candidate;
    }
    return found;
}

WARD_IFMA void reduce_signed(const Modulus& q, const int64_t* x, uint64_t* out, size_t n) {
    const Modulus8 m = modulus8(q);
    for (size_t i = 0; i < n; i += 8) {
        const __m512i value = _mm512_loadu_si512(x + i);
        const __mmask8 negative = _mm512_movepi64_mask(value);
        const __m512i magnitude = _mm512_abs_epi64(value);
        const __m512i residue =
            reduce_wide(m, _mm512_and_si512(magnitude, m.mask), _mm512_srli_epi64(magnitude, 52));
        store8(out + i, fold(_mm512_mask_sub_epi64(residue, negative, m.q, residue), m.q));
    }
}

WARD_IFMA void invert_gaussian(const int64_t* thresholds, int64_t* values, size_t n) {
    invert_gaussian_loop(thresholds, values, n);
}

WARD_IFMA void small_to_residues(const int64_t* x, int64_t q, uint64_t* out, size_t n) {
    small_to_residues_loop(x, q, out, n);
}

WARD_IFMA void fft_level(bool inverse, size_t n, size_t half, const double* w_re,
                         const double* w_im, double* re, double* im) {
    fft_level_any(inverse, n, half, w_re, w_im, re, im);
}

WARD_IFMA void round_scaled(const double* x, double scale, int64_t* out, size_t n) {
    round_scaled_loop(x, scale, out, n);
}

}  // namespace

const Kernels& avx512_ifma_kernels() {
    static constexpr Kernels kTable{ntt_forward_avx512ifma,
                                    ntt_inverse_avx512ifma,
                                    add,
                                    subtract,
                                    negate,
                                    multiply,
                                    multiply_add,
                                    multiply_factor,
                                    subtract_multiply,
                                    shift_reduce,
                                    inner_product,
                                    inner_product_pair,
                                    linear_combination,
                                    rounded_sum,
                                    gather,
                                    accept_uniform,
                                    reduce_signed,
                                    invert_gaussian,
                                    small_to_residues,
                                    fft_level,
                                    round_scaled};
    return kTable;
}

}  // namespace ward::he::internal
