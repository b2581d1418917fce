// Kernels for AVX2 with FMA. There is no wide integer multiplier, so residues are held as doubles:
// the low half of a product comes exactly from a fused multiply-add (Dekker; van der Hoeven, Lecerf
// and Quintin, arXiv:1407.3383). Everything stays below 2^53 in absolute value, so it is exact, and
// results are the same words as those of the other variants.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <utility>

#include "ward/he/internal/kernels.h"
#include "ward/he/internal/loops.h"

#define WARD_AVX2 __attribute__((target("avx2,fma")))
#define WARD_AVX2_INLINE WARD_AVX2 __attribute__((always_inline)) inline

namespace ward::he::internal {
namespace {

constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

// Words below 2^52 and doubles: the words are mantissas of numbers from 2^52 on.
WARD_AVX2_INLINE __m256d load4(const uint64_t* p) {
    const __m256d magic = _mm256_set1_pd(0x1p52);
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(words, _mm256_castpd_si256(magic))),
                         magic);
}
WARD_AVX2_INLINE void store4(uint64_t* p, __m256d x) {
    const __m256d magic = _mm256_set1_pd(0x1p52);
    const __m256d words = _mm256_xor_pd(_mm256_add_pd(x, magic), magic);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_castpd_si256(words));
}
// Doubles kept in the place of words between the levels of a transform.
WARD_AVX2_INLINE __m256d load_raw(const uint64_t* p) {
    return _mm256_castsi256_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
WARD_AVX2_INLINE void store_raw(uint64_t* p, __m256d x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_castpd_si256(x));
}

struct Modulus4 {
    __m256d q, inverse;
};
WARD_AVX2_INLINE Modulus4 modulus4(const Modulus& m) {
    const double q = static_cast<double>(m.value());
    return {_mm256_set1_pd(q), _mm256_set1_pd(1 / q)};
}

// To at most q/2 in absolute value, and one more.
WARD_AVX2_INLINE __m256d reduce(const Modulus4& m, __m256d x) {
    const __m256d quotient = _mm256_round_pd(_mm256_mul_pd(x, m.inverse), kNearest);
    return _mm256_fnmadd_pd(quotient, m.q, x);
}
// From that to 0 .. q - 1.
WARD_AVX2_INLINE __m256d canonical(const Modulus4& m, __m256d x) {
    const __m256d negative = _mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_LT_OQ);
    return _mm256_add_pd(x, _mm256_and_pd(negative, m.q));
}
// y w, for |y| <= 2^52 and |w| < q: at most 3/2 q in absolute value, and q while |y| <= 2^51.
WARD_AVX2_INLINE __m256d multiply4(const Modulus4& m, __m256d y, __m256d w) {
    const __m256d high = _mm256_mul_pd(y, w);
    const __m256d low = _mm256_fmsub_pd(y, w, high);
    const __m256d quotient = _mm256_round_pd(_mm256_mul_pd(high, m.inverse), kNearest);
    return _mm256_add_pd(_mm256_fnmadd_pd(quotient, m.q, high), low);
}

// The butterflies: (x, y) to (x + w y, x - w y), and to (x + y, (x - y) w).
WARD_AVX2_INLINE void forward2(const Modulus4& m, __m256d& x, __m256d& y, __m256d w) {
    const __m256d product = multiply4(m, y, w);
    y = _mm256_sub_pd(x, product);
    x = _mm256_add_pd(x, product);
}
WARD_AVX2_INLINE void inverse2(const Modulus4& m, __m256d& x, __m256d& y, __m256d w) {
    const __m256d difference = _mm256_sub_pd(x, y);
    x = _mm256_add_pd(x, y);
    y = multiply4(m, difference, w);
}

WARD_AVX2_INLINE void transpose(__m256d (&v)[4]) {
    const __m256d a = _mm256_unpacklo_pd(v[0], v[1]), b = _mm256_unpackhi_pd(v[0], v[1]);
    const __m256d c = _mm256_unpacklo_pd(v[2], v[3]), d = _mm256_unpackhi_pd(v[2], v[3]);
    v[0] = _mm256_permute2f128_pd(a, c, 0x20);
    v[1] = _mm256_permute2f128_pd(b, d, 0x20);
    v[2] = _mm256_permute2f128_pd(a, c, 0x31);
    v[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

// Roots of the levels of stride 2 and 1 for the 16 words from `word` on.
struct LastRoots4 {
    __m256d stride2, even, odd;
};
WARD_AVX2_INLINE LastRoots4 last_roots(const uint64_t* roots, size_t n, size_t word) {
    const __m256d low = load4(roots + (n + word) / 2), high = load4(roots + (n + word) / 2 + 4);
    return {load4(roots + (n + word) / 4),
            _mm256_permute4x64_pd(_mm256_unpacklo_pd(low, high), 0xd8),
            _mm256_permute4x64_pd(_mm256_unpackhi_pd(low, high), 0xd8)};
}
WARD_AVX2_INLINE __m256d root(const uint64_t* roots, size_t i) {
    return _mm256_set1_pd(static_cast<double>(roots[i]));
}

// Two levels of blocks of 4 `quarter` words. Values of at most 5/2 q, where the upper half is first
// reduced to q/2: two products of at most q are added, so they are so again.
WARD_AVX2 void forward_radix4(const Modulus4& m, const uint64_t* roots, size_t n, size_t blocks,
                              uint64_t* data) {
    const size_t quarter = n / blocks / 4;
    for (size_t b = 0; b < blocks; ++b) {
        const __m256d w1 = root(roots, blocks + b), w2 = root(roots, 2 * (blocks + b)),
                      w3 = root(roots, 2 * (blocks + b) + 1);
        uint64_t* at = data + 4 * quarter * b;
        for (size_t i = 0; i < quarter; i += 4) {
            __m256d a0 = reduce(m, load_raw(at + i)), a1 = reduce(m, load_raw(at + quarter + i));
            __m256d a2 = load_raw(at + 2 * quarter + i), a3 = load_raw(at + 3 * quarter + i);
            forward2(m, a0, a2, w1);
            forward2(m, a1, a3, w1);
            forward2(m, a0, a1, w2);
            forward2(m, a2, a3, w3);
            store_raw(at + i, a0);
            store_raw(at + quarter + i, a1);
            store_raw(at + 2 * quarter + i, a2);
            store_raw(at + 3 * quarter + i, a3);
        }
    }
}

// Values of at most 21/10 q: sums of four stay below 2^53, where all is exact, and a product of
// such a difference is at most q/2 + 4 (21/10 q) 3/2 2^-52 q, which is less than 21/10 q again.
WARD_AVX2 void inverse_radix4(const Modulus4& m, const uint64_t* roots, size_t n, size_t blocks,
                              uint64_t* data) {
    const size_t quarter = n / blocks / 4;
    for (size_t b = 0; b < blocks; ++b) {
        const __m256d w1 = root(roots, blocks + b), w2 = root(roots, 2 * (blocks + b)),
                      w3 = root(roots, 2 * (blocks + b) + 1);
        uint64_t* at = data + 4 * quarter * b;
        for (size_t i = 0; i < quarter; i += 4) {
            __m256d a0 = load_raw(at + i), a1 = load_raw(at + quarter + i);
            __m256d a2 = load_raw(at + 2 * quarter + i), a3 = load_raw(at + 3 * quarter + i);
            inverse2(m, a0, a1, w2);
            inverse2(m, a2, a3, w3);
            inverse2(m, a0, a2, w1);
            inverse2(m, a1, a3, w1);
            store_raw(at + i, reduce(m, a0));
            store_raw(at + quarter + i, reduce(m, a1));
            store_raw(at + 2 * quarter + i, a2);
            store_raw(at + 3 * quarter + i, a3);
        }
    }
}

WARD_AVX2 void ntt_forward(const NttTable& table, const uint64_t* in, uint64_t* out) {
    const Modulus4 m = modulus4(table.modulus());
    const uint64_t* roots = table.roots();
    const size_t n = table.degree();
    for (size_t i = 0; i < n; i += 4) store_raw(out + i, reduce(m, load4(in + i)));
    size_t blocks = 1;
    if (table.log_degree() % 2 != 0) {
        const __m256d w = root(roots, 1);
        for (size_t i = 0; i < n / 2; i += 4) {
            __m256d x = load_raw(out + i), y = load_raw(out + n / 2 + i);
            forward2(m, x, y, w);
            store_raw(out + i, x);
            store_raw(out + n / 2 + i, y);
        }
        blocks = 2;
    }
    for (; n / blocks > 4; blocks *= 4) forward_radix4(m, roots, n, blocks, out);
    for (size_t i = 0; i < n; i += 16) {
        const LastRoots4 w = last_roots(roots, n, i);
        __m256d v[4];
        for (size_t j = 0; j < 4; ++j) v[j] = load_raw(out + i + 4 * j);
        transpose(v);
        v[0] = reduce(m, v[0]);
        v[1] = reduce(m, v[1]);
        forward2(m, v[0], v[2], w.stride2);
        forward2(m, v[1], v[3], w.stride2);
        forward2(m, v[0], v[1], w.even);
        forward2(m, v[2], v[3], w.odd);
        transpose(v);
        for (size_t j = 0; j < 4; ++j) store4(out + i + 4 * j, canonical(m, reduce(m, v[j])));
    }
}

WARD_AVX2 void ntt_inverse(const NttTable& table, const uint64_t* in, uint64_t* out) {
    const Modulus4 m = modulus4(table.modulus());
    const uint64_t* roots = table.inverse_roots();
    const size_t n = table.degree();
    for (size_t i = 0; i < n; i += 16) {
        const LastRoots4 w = last_roots(roots, n, i);
        __m256d v[4];
        for (size_t j = 0; j < 4; ++j) v[j] = load4(in + i + 4 * j);
        transpose(v);
        inverse2(m, v[0], v[1], w.even);
        inverse2(m, v[2], v[3], w.odd);
        inverse2(m, v[0], v[2], w.stride2);
        inverse2(m, v[1], v[3], w.stride2);
        v[0] = reduce(m, v[0]);
        v[1] = reduce(m, v[1]);
        transpose(v);
        for (size_t j = 0; j < 4; ++j) store_raw(out + i + 4 * j, v[j]);
    }
    const bool odd = table.log_degree() % 2 != 0;
    for (size_t blocks = n / 16; blocks >= (odd ? 2u : 1u); blocks /= 4) {
        inverse_radix4(m, roots, n, blocks, out);
    }
    if (odd) {
        const __m256d w = root(roots, 1);
        for (size_t i = 0; i < n / 2; i += 4) {
            __m256d x = load_raw(out + i), y = load_raw(out + n / 2 + i);
            inverse2(m, x, y, w);
            store_raw(out + i, x);
            store_raw(out + n / 2 + i, y);
        }
    }
    const __m256d degree = _mm256_set1_pd(static_cast<double>(table.inverse_degree().value));
    for (size_t i = 0; i < n; i += 4) {
        store4(out + i, canonical(m, reduce(m, multiply4(m, load_raw(out + i), degree))));
    }
}

WARD_AVX2 void add(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out,
                   size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.add(a[i], b[i]);
}

WARD_AVX2 void subtract(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out,
                        size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.subtract(a[i], b[i]);
}

WARD_AVX2 void negate(const Modulus& q, const uint64_t* a, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.negate(a[i]);
}

WARD_AVX2 void multiply(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out,
                        size_t n) {
    const Modulus4 m = modulus4(q);
    for (size_t i = 0; i < n; i += 4) {
        store4(out + i, canonical(m, reduce(m, multiply4(m, load4(a + i), load4(b + i)))));
    }
}

WARD_AVX2 void multiply_add(const Modulus& q, const uint64_t* a, const uint64_t* b,
                            const uint64_t* addend, uint64_t* out, size_t n) {
    const Modulus4 m = modulus4(q);
    for (size_t i = 0; i < n; i += 4) {
        const __m256d product = multiply4(m, load4(a + i), load4(b + i));
        store4(out + i, canonical(m, reduce(m, _mm256_add_pd(product, load4(addend + i)))));
    }
}

WARD_AVX2 void multiply_factor(const Modulus& q, const uint64_t* a, Factor w, uint64_t* out,
                               size_t n) {
    const Modulus4 m = modulus4(q);
    const __m256d factor = _mm256_set1_pd(static_cast<double>(w.value));
    for (size_t i = 0; i < n; i += 4) {
        store4(out + i, canonical(m, reduce(m, multiply4(m, load4(a + i), factor))));
    }
}

WARD_AVX2 void subtract_multiply(const Modulus& q, const uint64_t* a, const uint64_t* b, Factor w,
                                 uint64_t* out, size_t n) {
    const Modulus4 m = modulus4(q);
    const __m256d factor = _mm256_set1_pd(static_cast<double>(w.value));
    for (size_t i = 0; i < n; i += 4) {
        const __m256d difference = _mm256_sub_pd(load4(a + i), load4(b + i));
        store4(out + i, canonical(m, reduce(m, multiply4(m, difference, factor))));
    }
}

WARD_AVX2 void shift_reduce(const Modulus& q, const uint64_t* a, uint64_t shift, uint64_t* out,
                            size_t n) {
    const Modulus4 m = modulus4(q);
    const __m256d addend = _mm256_set1_pd(static_cast<double>(shift));
    for (size_t i = 0; i < n; i += 4) {
        // The quotient may be off by one for the largest numbers: reduced twice.
        const __m256d x = reduce(m, _mm256_add_pd(load4(a + i), addend));
        store4(out + i, canonical(m, reduce(m, x)));
    }
}

// One more product; the sum stays below q/2 + 3/2 q.
WARD_AVX2_INLINE __m256d accumulate(const Modulus4& m, __m256d sum, __m256d x, __m256d y) {
    return reduce(m, _mm256_add_pd(sum, multiply4(m, x, y)));
}

WARD_AVX2 void inner_product(const Modulus& q, const uint64_t* const* x, const uint64_t* const* y,
                             size_t count, uint64_t* out, size_t n) {
    const Modulus4 m = modulus4(q);
    for (size_t i = 0; i < n; i += 4) {
        __m256d sum = _mm256_setzero_pd();
        for (size_t d = 0; d < count; ++d)
            sum = accumulate(m, sum, load4(x[d] + i), load4(y[d] + i));
        store4(out + i, canonical(m, sum));
    }
}

WARD_AVX2 void inner_product_pair(const Modulus& q, const uint64_t* const* x,
                                  const uint64_t* const* y0, const uint64_t* const* y1,
                                  size_t count, uint64_t* out0, uint64_t* out1, size_t n) {
    const Modulus4 m = modulus4(q);
    for (size_t i = 0; i < n; i += 4) {
        __m256d sum0 = _mm256_setzero_pd(), sum1 = sum0;
        for (size_t d = 0; d < count; ++d) {
            const __m256d left = load4(x[d] + i);
            sum0 = accumulate(m, sum0, left, load4(y0[d] + i));
            sum1 = accumulate(m, sum1, left, load4(y1[d] + i));
        }
        store4(out0 + i, canonical(m, sum0));
        store4(out1 + i, canonical(m, sum1));
    }
}

WARD_AVX2 void linear_combination(const Modulus& q, const uint64_t* const* x,
                                  const uint64_t* scalars, size_t count, uint64_t* out, size_t n) {
    const Modulus4 m = modulus4(q);
    for (size_t i = 0; i < n; i += 4) {
        __m256d sum = _mm256_setzero_pd();
        for (size_t d = 0; d < count; ++d) {
            const __m256d scalar = _mm256_set1_pd(static_cast<double>(scalars[d]));
            sum = accumulate(m, sum, load4(x[d] + i), scalar);
        }
        store4(out + i, canonical(m, sum));
    }
}

WARD_AVX2 void rounded_sum(const uint64_t* const* x, const double* inverses, size_t count,
                           uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; i += 4) {
        __m256d sum = _mm256_set1_pd(0.5);
        for (size_t d = 0; d < count; ++d) {
            sum = _mm256_add_pd(sum, _mm256_mul_pd(load4(x[d] + i), _mm256_set1_pd(inverses[d])));
        }
        store4(out + i, _mm256_round_pd(sum, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
    }
}

WARD_AVX2 void invert_gaussian(const int64_t* thresholds, int64_t* values, size_t n) {
    invert_gaussian_loop(thresholds, values, n);
}

WARD_AVX2 void small_to_residues(const int64_t* x, int64_t q, uint64_t* out, size_t n) {
    small_to_residues_loop(x, q, out, n);
}

WARD_AVX2 void fft_level(bool inverse, size_t n, size_t half, const double* w_re,
                         const double* w_im, double* re, double* im) {
    fft_level_any(inverse, n, half, w_re, w_im, re, im);
}

}  // namespace

const Kernels& avx2_kernels() {
    static const Kernels table = [] {
        Kernels k = scalar_kernels();  // what is left: gather, sampling, wide signed numbers
        k.ntt_forward = ntt_forward;
        k.ntt_inverse = ntt_inverse;
        k.add = add;
        k.subtract = subtract;
        k.negate = negate;
        k.multiply = multiply;
        k.multiply_add = multiply_add;
        k.multiply_factor = multiply_factor;
        k.subtract_multiply = subtract_multiply;
        k.shift_reduce = shift_reduce;
        k.inner_product = inner_product;
        k.inner_product_pair = inner_product_pair;
        k.linear_combination = linear_combination;
        k.rounded_sum = rounded_sum;
        k.invert_gaussian = invert_gaussian;
        k.small_to_residues = small_to_residues;
        k.fft_level = fft_level;
        return k;
    }();
    return table;
}

}  // namespace ward::he::internal
