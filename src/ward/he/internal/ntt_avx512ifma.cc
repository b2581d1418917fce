// The transforms for AVX-512 IFMA: radix 4 with eight residues in a register, the three levels of
// stride 4, 2 and 1 inside registers, and blocks that fit the first-level cache finished one by
// one.
#include "ward/he/internal/ntt_avx512ifma.h"

#include <algorithm>

#include "ward/he/internal/vector512.h"

namespace ward::he::internal {
namespace {

constexpr size_t kBlockWords = 4096;  // 32 KiB

struct Roots {
    const uint64_t* values;
    const uint64_t* quotients;
};

WARD_IFMA_INLINE Factor8 root(const Roots& roots, size_t i) {
    return {all8(roots.values[i]), all8(roots.quotients[i])};
}

// Harvey's butterfly: (x, y) to (x + w y, x - w y) with outputs below x + 2q.
WARD_IFMA_INLINE void forward_butterfly(const Modulus8& m, __m512i& x, __m512i& y,
                                        const Factor8& w) {
    const __m512i product = multiply_lazy(m, y, w);
    const __m512i above = _mm512_add_epi64(x, m.q2);
    x = _mm512_add_epi64(x, product);
    y = _mm512_sub_epi64(above, product);
}

// The same for x below 8q with both results below q.
WARD_IFMA_INLINE void last_butterfly(const Modulus8& m, __m512i& x, __m512i& y, const Factor8& w) {
    const __m512i product = fold(multiply_lazy(m, y, w), m.q);
    const __m512i reduced = fold(fold(fold(x, m.q4), m.q2), m.q);
    const __m512i difference = _mm512_sub_epi64(reduced, product);
    x = fold(_mm512_add_epi64(reduced, product), m.q);
    y = _mm512_min_epu64(difference, _mm512_add_epi64(difference, m.q));
}

// (x, y) to (x + y, (x - y) w), for y <= offset; the first is not reduced, the second below 2q.
WARD_IFMA_INLINE void inverse_butterfly(const Modulus8& m, __m512i& x, __m512i& y, const Factor8& w,
                                        __m512i offset) {
    const __m512i difference = _mm512_sub_epi64(_mm512_add_epi64(x, offset), y);
    x = _mm512_add_epi64(x, y);
    y = multiply_lazy(m, difference, w);
}

// One level. `level` is the number of blocks of the whole transform at this level.
WARD_IFMA void forward_radix2(const Modulus8& m, const Roots& roots, size_t n, const uint64_t* in,
                              uint64_t* out) {
    const Factor8 w = root(roots, 1);
    for (size_t i = 0; i < n / 2; i += 8) {
        __m512i x = fold(load8(in + i), m.q4), y = load8(in + n / 2 + i);
        forward_butterfly(m, x, y, w);
        store8(out + i, x);
        store8(out + n / 2 + i, y);
    }
}

// The roots of two levels for block `b` of the outer one, which has `blocks`.
struct Roots4 {
    Factor8 outer, left, right;
};
WARD_IFMA_INLINE Roots4 roots4(const Roots& roots, size_t blocks, size_t b) {
    const size_t i = blocks + b;
    return {root(roots, i), root(roots, 2 * i), root(roots, 2 * i + 1)};
}

// Two levels. Values below 8q before and after.
WARD_IFMA_INLINE void forward_four(const Modulus8& m, const Roots4& w, __m512i& a0, __m512i& a1,
                                   __m512i& a2, __m512i& a3) {
    a0 = fold(a0, m.q4);
    a1 = fold(a1, m.q4);
    forward_butterfly(m, a0, a2, w.outer);
    forward_butterfly(m, a1, a3, w.outer);
    forward_butterfly(m, a0, a1, w.left);
    forward_butterfly(m, a2, a3, w.right);
}

// Two levels. Values below 2q before and after.
WARD_IFMA_INLINE void inverse_four(const Modulus8& m, const Roots4& w, __m512i& a0, __m512i& a1,
                                   __m512i& a2, __m512i& a3) {
    inverse_butterfly(m, a0, a1, w.left, m.q2);  // below 4q and 2q
    inverse_butterfly(m, a2, a3, w.right, m.q2);
    inverse_butterfly(m, a0, a2, w.outer, m.q4);  // below 8q and 2q
    inverse_butterfly(m, a1, a3, w.outer, m.q2);  // below 4q and 2q
    a0 = fold(fold(a0, m.q4), m.q2);
    a1 = fold(a1, m.q2);
}

// Two levels of blocks [first, last) of 4 `quarter` words; `in` and `out` are the whole polynomial.
WARD_IFMA void forward_radix4(const Modulus8& m, const Roots& roots, size_t blocks, size_t first,
                              size_t last, size_t quarter, const uint64_t* in, uint64_t* out) {
    for (size_t b = first; b < last; ++b) {
        const Roots4 w = roots4(roots, blocks, b);
        const uint64_t* from = in + 4 * quarter * b;
        uint64_t* to = out + 4 * quarter * b;
        for (size_t i = 0; i < quarter; i += 8) {
            __m512i a0 = load8(from + i), a1 = load8(from + quarter + i);
            __m512i a2 = load8(from + 2 * quarter + i), a3 = load8(from + 3 * quarter + i);
            forward_four(m, w, a0, a1, a2, a3);
            store8(to + i, a0);
            store8(to + quarter + i, a1);
            store8(to + 2 * quarter + i, a2);
            store8(to + 3 * quarter + i, a3);
        }
    }
}

WARD_IFMA_INLINE __m512i spread(__m512i index, const uint64_t* p, bool four) {
    const __m512i v =
        four ? _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))
             : _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm512_permutexvar_epi64(index, v);
}

// Roots of the levels of stride 4, 2 and 1 for the 16 words from `word` on; n is the degree.
WARD_IFMA_INLINE Factor8 root_stride4(const Roots& roots, size_t n, size_t word) {
    const __m512i by_four = _mm512_set_epi64(1, 1, 1, 1, 0, 0, 0, 0);
    const size_t i = (n + word) / 8;
    return {spread(by_four, roots.values + i, false), spread(by_four, roots.quotients + i, false)};
}
WARD_IFMA_INLINE Factor8 root_stride2(const Roots& roots, size_t n, size_t word) {
    const __m512i by_two = _mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0);
    const size_t i = (n + word) / 4;
    return {spread(by_two, roots.values + i, true), spread(by_two, roots.quotients + i, true)};
}
WARD_IFMA_INLINE Factor8 root_stride1(const Roots& roots, size_t n, size_t word) {
    const size_t i = (n + word) / 2;
    return {load8(roots.values + i), load8(roots.quotients + i)};
}

// Between the orders of the words a0..a7, b0..b7 of a pair of registers:
//   rows      a0..a7                   b0..b7
//   stride 4  a0 a1 a2 a3 b0 b1 b2 b3  a4 a5 a6 a7 b4 b5 b6 b7
//   stride 2  a0 a1 a4 a5 b0 b1 b4 b5  a2 a3 a6 a7 b2 b3 b6 b7
//   stride 1  a0 a2 a4 a6 b0 b2 b4 b6  a1 a3 a5 a7 b1 b3 b5 b7
// `halves` changes rows <-> stride 4, `pairs` stride 4 <-> stride 2, `words` stride 2 <-> stride 1.
WARD_IFMA_INLINE void halves(__m512i& x, __m512i& y) {
    const __m512i upper = _mm512_shuffle_i64x2(x, y, 0x44);
    y = _mm512_shuffle_i64x2(x, y, 0xee);
    x = upper;
}
WARD_IFMA_INLINE void pairs(__m512i& x, __m512i& y) {
    const __m512i first = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    const __m512i second = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    const __m512i upper = _mm512_permutex2var_epi64(x, first, y);
    y = _mm512_permutex2var_epi64(x, second, y);
    x = upper;
}
WARD_IFMA_INLINE void words(__m512i& x, __m512i& y) {
    const __m512i upper = _mm512_unpacklo_epi64(x, y);
    y = _mm512_unpackhi_epi64(x, y);
    x = upper;
}

// The last three levels of 16 kPairs words. One pair of registers is a long chain of dependent
// instructions: the steps of four pairs are written side by side, so that they overlap.
template <int kPairs>
WARD_IFMA_INLINE void forward_last_pairs(const Modulus8& m, const Roots& roots, size_t n,
                                         size_t word, const uint64_t* in, uint64_t* out) {
    __m512i x[kPairs], y[kPairs];
    for (int p = 0; p < kPairs; ++p) {
        x[p] = load8(in + word + 16 * p);
        y[p] = load8(in + word + 16 * p + 8);
    }
    for (int p = 0; p < kPairs; ++p) halves(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p) x[p] = fold(x[p], m.q4);
    for (int p = 0; p < kPairs; ++p)
        forward_butterfly(m, x[p], y[p], root_stride4(roots, n, word + 16 * p));
    for (int p = 0; p < kPairs; ++p) pairs(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p)
        forward_butterfly(m, x[p], y[p], root_stride2(roots, n, word + 16 * p));
    for (int p = 0; p < kPairs; ++p) words(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p) {
        last_butterfly(m, x[p], y[p], root_stride1(roots, n, word + 16 * p));
    }
    for (int p = 0; p < kPairs; ++p) words(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p) pairs(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p) halves(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p) {
        store8(out + word + 16 * p, x[p]);
        store8(out + word + 16 * p + 8, y[p]);
    }
}

template <int kPairs>
WARD_IFMA_INLINE void inverse_first_pairs(const Modulus8& m, const Roots& roots, size_t n,
                                          size_t word, const uint64_t* in, uint64_t* out) {
    __m512i x[kPairs], y[kPairs];
    for (int p = 0; p < kPairs; ++p) {
        x[p] = load8(in + word + 16 * p);
        y[p] = load8(in + word + 16 * p + 8);
    }
    for (int p = 0; p < kPairs; ++p) halves(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p) pairs(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p) words(x[p], y[p]);
    // Below 2q, 4q, then 8q and 2q.
    for (int p = 0; p < kPairs; ++p)
        inverse_butterfly(m, x[p], y[p], root_stride1(roots, n, word + 16 * p), m.q);
    for (int p = 0; p < kPairs; ++p) words(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p)
        inverse_butterfly(m, x[p], y[p], root_stride2(roots, n, word + 16 * p), m.q2);
    for (int p = 0; p < kPairs; ++p) pairs(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p)
        inverse_butterfly(m, x[p], y[p], root_stride4(roots, n, word + 16 * p), m.q4);
    for (int p = 0; p < kPairs; ++p) x[p] = fold(fold(x[p], m.q4), m.q2);
    for (int p = 0; p < kPairs; ++p) halves(x[p], y[p]);
    for (int p = 0; p < kPairs; ++p) {
        store8(out + word + 16 * p, x[p]);
        store8(out + word + 16 * p + 8, y[p]);
    }
}

// Two levels of blocks [first, last); `blocks` counts the blocks of the outer level.
WARD_IFMA void inverse_radix4(const Modulus8& m, const Roots& roots, size_t blocks, size_t first,
                              size_t last, size_t quarter, uint64_t* data) {
    for (size_t b = first; b < last; ++b) {
        const Roots4 w = roots4(roots, blocks, b);
        uint64_t* at = data + 4 * quarter * b;
        for (size_t i = 0; i < quarter; i += 8) {
            __m512i a0 = load8(at + i), a1 = load8(at + quarter + i);
            __m512i a2 = load8(at + 2 * quarter + i), a3 = load8(at + 3 * quarter + i);
            inverse_four(m, w, a0, a1, a2, a3);
            store8(at + i, a0);
            store8(at + quarter + i, a1);
            store8(at + 2 * quarter + i, a2);
            store8(at + 3 * quarter + i, a3);
        }
    }
}

// The outermost two levels, which also divide by n and reduce fully.
WARD_IFMA void inverse_last_radix4(const Modulus8& m, const Roots& roots, const Factor8& degree,
                                   const Factor8& outer, size_t n, uint64_t* data) {
    const Factor8 w2 = root(roots, 2), w3 = root(roots, 3);
    const size_t quarter = n / 4;
    for (size_t i = 0; i < quarter; i += 8) {
        __m512i a0 = load8(data + i), a1 = load8(data + quarter + i);
        __m512i a2 = load8(data + 2 * quarter + i), a3 = load8(data + 3 * quarter + i);
        inverse_butterfly(m, a0, a1, w2, m.q2);
        inverse_butterfly(m, a2, a3, w3, m.q2);
        inverse_butterfly(m, a0, a2, outer, m.q4);
        inverse_butterfly(m, a1, a3, outer, m.q2);
        store8(data + i, fold(multiply_lazy(m, a0, degree), m.q));
        store8(data + quarter + i, fold(multiply_lazy(m, a1, degree), m.q));
        store8(data + 2 * quarter + i, fold(a2, m.q));
        store8(data + 3 * quarter + i, fold(a3, m.q));
    }
}

WARD_IFMA void inverse_last_radix2(const Modulus8& m, const Factor8& degree, const Factor8& outer,
                                   size_t n, uint64_t* data) {
    for (size_t i = 0; i < n / 2; i += 8) {
        __m512i x = load8(data + i), y = load8(data + n / 2 + i);
        inverse_butterfly(m, x, y, outer, m.q2);
        store8(data + i, fold(multiply_lazy(m, x, degree), m.q));
        store8(data + n / 2 + i, fold(y, m.q));
    }
}

}  // namespace

WARD_IFMA void ntt_forward_avx512ifma(const NttTable& table, const uint64_t* in, uint64_t* out) {
    const Modulus8 m = modulus8(table.modulus());
    const Roots roots{table.roots(), table.root_quotients()};
    const size_t n = table.degree();
    size_t blocks = 1;
    if ((table.log_degree() - 3) % 2 != 0) {
        forward_radix2(m, roots, n, in, out);
        in = out;
        blocks = 2;
    }
    for (; n / blocks > kBlockWords; blocks *= 4) {
        forward_radix4(m, roots, blocks, 0, blocks, n / blocks / 4, in, out);
        in = out;
    }
    const size_t chunk_words = n / blocks;  // 8 4^k
    for (size_t chunk = 0; chunk < blocks; ++chunk) {
        const uint64_t* from = in;
        size_t parts = 1;
        for (size_t left = chunk_words; left > 8; left /= 4, parts *= 4) {
            forward_radix4(m, roots, blocks * parts, chunk * parts, (chunk + 1) * parts, left / 4,
                           from, out);
            from = out;
        }
        const size_t end = (chunk + 1) * chunk_words;
        size_t i = chunk * chunk_words;
        for (; i + 64 <= end; i += 64) forward_last_pairs<4>(m, roots, n, i, from, out);
        for (; i < end; i += 16) forward_last_pairs<1>(m, roots, n, i, from, out);
    }
}

WARD_IFMA void ntt_inverse_avx512ifma(const NttTable& table, const uint64_t* in, uint64_t* out) {
    const Modulus8 m = modulus8(table.modulus());
    const Roots roots{table.inverse_roots(), table.inverse_root_quotients()};
    const size_t n = table.degree();
    const Factor8 degree = all8(table.inverse_degree()), outer = all8(table.last_inverse_root());
    const bool odd = (table.log_degree() - 3) % 2 != 0;
    // Chunks of 8 4^k words, the largest within the cache that leave the last levels to do.
    const size_t whole = odd ? n / 2 : n / 4;
    size_t chunk_words = 8;
    while (chunk_words * 4 <= std::min(kBlockWords, whole)) chunk_words *= 4;
    const size_t step = std::max<size_t>(chunk_words, 16);
    for (size_t start = 0; start < n; start += step) {
        size_t i = start;
        for (; i + 64 <= start + step; i += 64) inverse_first_pairs<4>(m, roots, n, i, in, out);
        for (; i < start + step; i += 16) inverse_first_pairs<1>(m, roots, n, i, in, out);
        for (size_t words4 = 32; words4 <= chunk_words; words4 *= 4) {
            inverse_radix4(m, roots, n / words4, start / words4, (start + step) / words4,
                           words4 / 4, out);
        }
    }
    for (size_t words4 = chunk_words * 4; words4 <= whole; words4 *= 4) {
        inverse_radix4(m, roots, n / words4, 0, n / words4, words4 / 4, out);
    }
    if (odd) {
        inverse_last_radix2(m, degree, outer, n, out);
    } else {
        inverse_last_radix4(m, roots, degree, outer, n, out);
    }
}

}  // namespace ward::he::internal
