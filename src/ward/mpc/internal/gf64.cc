#include "ward/mpc/internal/gf64.h"

#include <algorithm>

#include "ward/core/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ward::mpc::internal {
namespace {

Gf64Wide wide_portable(uint64_t a, uint64_t b) {
    Gf64Wide out;
    for (unsigned i = 0; i < 64; ++i) {
        const uint64_t mask = 0 - (b >> i & 1);
        out.low ^= (a << i) & mask;
        out.high ^= i == 0 ? 0 : (a >> (64 - i)) & mask;
    }
    return out;
}

#if defined(__x86_64__)
bool has_clmul() {
    static const bool yes = __builtin_cpu_supports("pclmul") != 0;
    return yes;
}

__attribute__((target("pclmul"))) inline __m128i wide_clmul(uint64_t a, uint64_t b) {
    return _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(a)),
                                _mm_cvtsi64_si128(static_cast<long long>(b)), 0);
}

// t^64 = t^4 + t^3 + t + 1, twice, because the first step leaves up to 4 bits above.
__attribute__((target("pclmul"))) inline uint64_t reduce_clmul(__m128i wide) {
    const __m128i modulus = _mm_cvtsi64_si128(0x1b);
    const __m128i once = _mm_clmulepi64_si128(wide, modulus, 0x01);
    const __m128i twice = _mm_clmulepi64_si128(once, modulus, 0x01);
    return static_cast<uint64_t>(
        _mm_cvtsi128_si64(_mm_xor_si128(wide, _mm_xor_si128(once, twice))));
}

__attribute__((target("pclmul"))) uint64_t multiply_clmul(uint64_t a, uint64_t b) {
    return reduce_clmul(wide_clmul(a, b));
}

__attribute__((target("pclmul"))) uint64_t dot_clmul(const uint64_t* a, const uint64_t* b,
                                                     size_t count) {
    __m128i sums[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(),
                       _mm_setzero_si128()};
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        for (size_t k = 0; k < 4; ++k) {
            sums[k] = _mm_xor_si128(sums[k], wide_clmul(a[i + k], b[i + k]));
        }
    }
    for (; i < count; ++i) sums[0] = _mm_xor_si128(sums[0], wide_clmul(a[i], b[i]));
    return reduce_clmul(
        _mm_xor_si128(_mm_xor_si128(sums[0], sums[1]), _mm_xor_si128(sums[2], sums[3])));
}

__attribute__((target("pclmul"))) void combine_clmul(const uint64_t* factors,
                                                     const uint64_t* pieces, size_t count,
                                                     size_t stride, size_t begin, size_t end,
                                                     uint64_t* out) {
    for (size_t i = begin; i < end; ++i) {
        __m128i sum = _mm_setzero_si128();
        for (size_t j = 0; j < count; ++j) {
            sum = _mm_xor_si128(sum, wide_clmul(factors[j], pieces[j * stride + i]));
        }
        out[i] = reduce_clmul(sum);
    }
}

__attribute__((target("pclmul"))) void scale_clmul(uint64_t factor, uint64_t* values,
                                                   size_t count) {
    for (size_t i = 0; i < count; ++i) values[i] = reduce_clmul(wide_clmul(factor, values[i]));
}

__attribute__((target("pclmul"))) void scale_each_clmul(const uint64_t* factors, uint64_t* values,
                                                        size_t count) {
    for (size_t i = 0; i < count; ++i) {
        values[i] = reduce_clmul(wide_clmul(factors[i], values[i]));
    }
}
// Eight elements at a time, four products to an instruction.
bool has_wide_clmul() {
    static const bool yes = __builtin_cpu_supports("vpclmulqdq") != 0 && isa() == Isa::kAvx512;
    return yes;
}

#define WARD_WIDE_CLMUL __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vpclmulqdq")))

WARD_WIDE_CLMUL inline __m512i reduce_wide(__m512i wide, __m512i modulus) {
    const __m512i once = _mm512_clmulepi64_epi128(wide, modulus, 0x01);
    const __m512i twice = _mm512_clmulepi64_epi128(once, modulus, 0x01);
    return _mm512_ternarylogic_epi64(wide, once, twice, 0x96);
}

// As unpacklo, which this compiler takes for the use of an unset value.
WARD_WIDE_CLMUL inline __m512i interleave(__m512i even, __m512i odd) {
    return _mm512_mask_shuffle_epi32(even, 0xcccc, odd, _MM_PERM_BABA);
}

// Products of eight elements each, reduced.
WARD_WIDE_CLMUL inline __m512i multiply_eight(__m512i a, __m512i b, __m512i modulus) {
    return interleave(reduce_wide(_mm512_clmulepi64_epi128(a, b, 0x00), modulus),
                      reduce_wide(_mm512_clmulepi64_epi128(a, b, 0x11), modulus));
}

WARD_WIDE_CLMUL uint64_t dot_wide(const uint64_t* a, const uint64_t* b, size_t count) {
    __m512i even = _mm512_setzero_si512(), odd = even;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m512i x = _mm512_loadu_si512(a + i), y = _mm512_loadu_si512(b + i);
        even = _mm512_xor_si512(even, _mm512_clmulepi64_epi128(x, y, 0x00));
        odd = _mm512_xor_si512(odd, _mm512_clmulepi64_epi128(x, y, 0x11));
    }
    alignas(64) uint64_t words[8];
    _mm512_store_si512(words, _mm512_xor_si512(even, odd));
    Gf64Wide sum;
    for (size_t k = 0; k < 8; k += 2) {
        sum.low ^= words[k];
        sum.high ^= words[k + 1];
    }
    return gf64_reduce(sum) ^ dot_clmul(a + i, b + i, count - i);
}

WARD_WIDE_CLMUL void combine_wide(const uint64_t* factors, const uint64_t* pieces, size_t count,
                                  size_t length, uint64_t* out) {
    const __m512i modulus = _mm512_set1_epi64(0x1b);
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        __m512i even = _mm512_setzero_si512(), odd = even;
        for (size_t j = 0; j < count; ++j) {
            const __m512i by = _mm512_set1_epi64(static_cast<long long>(factors[j]));
            const __m512i x = _mm512_loadu_si512(pieces + j * length + i);
            even = _mm512_xor_si512(even, _mm512_clmulepi64_epi128(x, by, 0x00));
            odd = _mm512_xor_si512(odd, _mm512_clmulepi64_epi128(x, by, 0x11));
        }
        _mm512_storeu_si512(out + i,
                            interleave(reduce_wide(even, modulus), reduce_wide(odd, modulus)));
    }
    combine_clmul(factors, pieces, count, length, i, length, out);
}

WARD_WIDE_CLMUL void scale_wide(uint64_t factor, uint64_t* values, size_t count) {
    const __m512i modulus = _mm512_set1_epi64(0x1b);
    const __m512i by = _mm512_set1_epi64(static_cast<long long>(factor));
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m512i product = multiply_eight(_mm512_loadu_si512(values + i), by, modulus);
        _mm512_storeu_si512(values + i, product);
    }
    scale_clmul(factor, values + i, count - i);
}

WARD_WIDE_CLMUL void scale_each_wide(const uint64_t* factors, uint64_t* values, size_t count) {
    const __m512i modulus = _mm512_set1_epi64(0x1b);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m512i product = multiply_eight(_mm512_loadu_si512(factors + i),
                                               _mm512_loadu_si512(values + i), modulus);
        _mm512_storeu_si512(values + i, product);
    }
    scale_each_clmul(factors + i, values + i, count - i);
}
#undef WARD_WIDE_CLMUL
#else
bool has_clmul() { return false; }
bool has_wide_clmul() { return false; }
uint64_t dot_wide(const uint64_t*, const uint64_t*, size_t) { return 0; }
void combine_wide(const uint64_t*, const uint64_t*, size_t, size_t, uint64_t*) {}
void scale_each_wide(const uint64_t*, uint64_t*, size_t) {}
uint64_t multiply_clmul(uint64_t, uint64_t) { return 0; }
uint64_t dot_clmul(const uint64_t*, const uint64_t*, size_t) { return 0; }
void combine_clmul(const uint64_t*, const uint64_t*, size_t, size_t, size_t, size_t, uint64_t*) {}
void scale_each_clmul(const uint64_t*, uint64_t*, size_t) {}
void scale_clmul(uint64_t, uint64_t*, size_t) {}
void scale_wide(uint64_t, uint64_t*, size_t) {}
#endif

}  // namespace

uint64_t gf64_reduce(Gf64Wide wide) {
    // high * (t^4 + t^3 + t + 1), whose own overflow has at most 4 bits.
    const uint64_t h = wide.high;
    const uint64_t over = (h >> 60) ^ (h >> 61) ^ (h >> 63);
    const uint64_t once = h ^ (h << 1) ^ (h << 3) ^ (h << 4);
    return wide.low ^ once ^ over ^ (over << 1) ^ (over << 3) ^ (over << 4);
}

uint64_t gf64_multiply_portable(uint64_t a, uint64_t b) { return gf64_reduce(wide_portable(a, b)); }

uint64_t gf64_multiply(uint64_t a, uint64_t b) {
    return has_clmul() ? multiply_clmul(a, b) : gf64_multiply_portable(a, b);
}

uint64_t gf64_dot(const uint64_t* a, const uint64_t* b, size_t count) {
    if (has_wide_clmul()) return dot_wide(a, b, count);
    if (has_clmul()) return dot_clmul(a, b, count);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; ++i) sum ^= gf64_multiply_portable(a[i], b[i]);
    return sum;
}

void gf64_combine(const uint64_t* factors, const uint64_t* pieces, size_t count, size_t length,
                  uint64_t* out) {
    if (has_wide_clmul()) return combine_wide(factors, pieces, count, length, out);
    if (has_clmul()) return combine_clmul(factors, pieces, count, length, 0, length, out);
    for (size_t i = 0; i < length; ++i) {
        uint64_t sum = 0;
        for (size_t j = 0; j < count; ++j) {
            sum ^= gf64_multiply_portable(factors[j], pieces[j * length + i]);
        }
        out[i] = sum;
    }
}

// In chunks of which all rows stay in the cache.
void gf64_table(const uint64_t* u, const uint64_t* v, size_t count, size_t length,
                uint64_t* table) {
    constexpr size_t kChunk = 1024;
    std::fill_n(table, count * count, 0);
    for (size_t begin = 0; begin < length; begin += kChunk) {
        const size_t part = std::min(kChunk, length - begin);
        for (size_t j = 0; j < count; ++j) {
            for (size_t k = 0; k < count; ++k) {
                table[j * count + k] ^=
                    gf64_dot(u + j * length + begin, v + k * length + begin, part);
            }
        }
    }
}

void gf64_scale(uint64_t factor, uint64_t* values, size_t count) {
    if (has_wide_clmul()) return scale_wide(factor, values, count);
    if (has_clmul()) return scale_clmul(factor, values, count);
    for (size_t i = 0; i < count; ++i) values[i] = gf64_multiply_portable(factor, values[i]);
}

void gf64_scale_each(const uint64_t* factors, uint64_t* values, size_t count) {
    if (has_wide_clmul()) return scale_each_wide(factors, values, count);
    if (has_clmul()) return scale_each_clmul(factors, values, count);
    for (size_t i = 0; i < count; ++i) values[i] = gf64_multiply_portable(factors[i], values[i]);
}

}  // namespace ward::mpc::internal
