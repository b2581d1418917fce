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

// Two levels of blocks [first, last) of 4 `quarter` words; `in` and `out` are the whole polynomial.
// Values below 8q before and after.
WARD_IFMA void forward_radix4(const Modulus8& m, const Roots& roots, size_t blocks, size_t first,
                              size_t last, size_t quarter, const uint64_t* in, uint64_t* out) {
    for (size_t b = first; b < last; ++b) {
        const Factor8 w1 = root(roots, blocks + b);
        const Factor8 w2 = root(roots, 2 * (blocks + b)), w3 = root(roots, 2 * (blocks + b) + 1);
        const uint64_t* from = in + 4 * quarter * b;
        uint64_t* to = out + 4 * quarter * b;
        for (size_t i = 0; i < quarter; i += 8) {
            __m512i a0 = fold(load8(from + i), m.q4);
            __m512i a1 = fold(load8(from + quarter + i), m.q4);
            __m512i a2 = load8(from + 2 * quarter + i);
            __m512i a3 = load8(from + 3 * quarter + i);
            forward_butterfly(m, a0, a2, w1);
            forward_butterfly(m, a1, a3, w1);
            forward_butterfly(m, a0, a1, w2);
            forward_butterfly(m, a2, a3, w3);
            store8(to + i, a0);
            store8(to + quarter + i, a1);
            store8(to + 2 * quarter + i, a2);
            store8(to + 3 * quarter + i, a3);
        }
    }
}

// Roots of the last three levels for the 16 words from `word` on; n is the degree.
struct LastRoots {
    Factor8 stride4, stride2, stride1;
};

WARD_IFMA_INLINE __m512i spread(__m512i index, const uint64_t* p, bool four) {
    const __m512i v =
        four ? _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))
             : _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm512_permutexvar_epi64(index, v);
}

WARD_IFMA_INLINE LastRoots last_roots(const Roots& roots, size_t n, size_t word) {
    const __m512i by_four = _mm512_set_epi64(1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i by_two = _mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0);
    const size_t i4 = (n + word) / 8, i2 = (n + word) / 4, i1 = (n + word) / 2;
    return {
        {spread(by_four, roots.values + i4, false), spread(by_four, roots.quotients + i4, false)},
        {spread(by_two, roots.values + i2, true), spread(by_two, roots.quotients + i2, true)},
        {load8(roots.values + i1), load8(roots.quotients + i1)}};
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
WARD_IFMA void forward_last(const Modulus8& m, const Roots& roots, size_t n, size_t first,
                            size_t last, const uint64_t* in, uint64_t* out) {
    for (size_t i = first; i < last; i += 16) {
        const LastRoots w = last_roots(roots, n, i);
        __m512i x = load8(in + i), y = load8(in + i + 8);
        halves(x, y);
        x = fold(x, m.q4);
        forward_butterfly(m, x, y, w.stride4);
        pairs(x, y);
        forward_butterfly(m, x, y, w.stride2);
        words(x, y);
        x = fold(x, m.q4);
        forward_butterfly(m, x, y, w.stride1);
        words(x, y);
        pairs(x, y);
        halves(x, y);
        store8(out + i, fold(fold(fold(x, m.q4), m.q2), m.q));
        store8(out + i + 8, fold(fold(fold(y, m.q4), m.q2), m.q));
    }
}

WARD_IFMA void inverse_first(const Modulus8& m, const Roots& roots, size_t n, size_t first,
                             size_t last, const uint64_t* in, uint64_t* out) {
    for (size_t i = first; i < last; i += 16) {
        const LastRoots w = last_roots(roots, n, i);
        __m512i x = load8(in + i), y = load8(in + i + 8);
        halves(x, y);
        pairs(x, y);
        words(x, y);
        inverse_butterfly(m, x, y, w.stride1, m.q);  // below 2q
        words(x, y);
        inverse_butterfly(m, x, y, w.stride2, m.q2);  // below 4q
        pairs(x, y);
        inverse_butterfly(m, x, y, w.stride4, m.q4);  // below 8q and 2q
        x = fold(fold(x, m.q4), m.q2);
        halves(x, y);
        store8(out + i, x);
        store8(out + i + 8, y);
    }
}

// Two levels of blocks [first, last); `blocks` counts the blocks of the outer level. Values below
// 2q before and after.
WARD_IFMA void inverse_radix4(const Modulus8& m, const Roots& roots, size_t blocks, size_t first,
                              size_t last, size_t quarter, uint64_t* data) {
    for (size_t b = first; b < last; ++b) {
        const Factor8 w1 = root(roots, blocks + b);
        const Factor8 w2 = root(roots, 2 * (blocks + b)), w3 = root(roots, 2 * (blocks + b) + 1);
        uint64_t* at = data + 4 * quarter * b;
        for (size_t i = 0; i < quarter; i += 8) {
            __m512i a0 = load8(at + i), a1 = load8(at + quarter + i);
            __m512i a2 = load8(at + 2 * quarter + i), a3 = load8(at + 3 * quarter + i);
            inverse_butterfly(m, a0, a1, w2, m.q2);  // below 4q and 2q
            inverse_butterfly(m, a2, a3, w3, m.q2);
            inverse_butterfly(m, a0, a2, w1, m.q4);  // below 8q and 2q
            inverse_butterfly(m, a1, a3, w1, m.q2);  // below 4q and 2q
            store8(at + i, fold(fold(a0, m.q4), m.q2));
            store8(at + quarter + i, fold(a1, m.q2));
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
    for (size_t chunk = 0; chunk < blocks; ++chunk) {
        const uint64_t* from = in;
        size_t parts = 1;
        for (size_t words_left = n / blocks; words_left > 8; words_left /= 4, parts *= 4) {
            forward_radix4(m, roots, blocks * parts, chunk * parts, (chunk + 1) * parts,
                           words_left / 4, from, out);
            from = out;
        }
        forward_last(m, roots, n, chunk * (n / blocks), (chunk + 1) * (n / blocks), from, out);
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
        inverse_first(m, roots, n, start, start + step, in, out);
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
