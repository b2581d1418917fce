#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#endif
#include "ward/mpc/internal/verify_bit_kernels.h"

#include <algorithm>
#include <array>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/mpc/internal/gf64.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ward::mpc::internal {
namespace {

constexpr size_t kBits = 64;

// t^0 to t^63.
std::array<uint64_t, kBits> powers() {
    std::array<uint64_t, kBits> out;
    for (size_t b = 0; b < kBits; ++b) out[b] = uint64_t{1} << b;
    return out;
}

#if defined(__x86_64__)
bool has_kernels() {
    static const bool yes = __builtin_cpu_supports("vpclmulqdq") != 0 && isa() == Isa::kAvx512;
    return yes;
}

#define WARD_CLMUL __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vpclmulqdq")))
#define WARD_CLMUL_INLINE \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vpclmulqdq"), always_inline)) inline

constexpr size_t kRowsOfU = 2;
constexpr size_t kRowsOfV = kBitPieceStep;
constexpr size_t kChunk =
    256;  // words of a row that stay in the second-level cache with all others

// Sums of 128 bits in four lanes, before reduction.
WARD_CLMUL void add_block(const uint64_t* factors, const BitFactors& words, size_t u_at,
                          size_t v_at, size_t stride, size_t length, size_t pieces, __m512i* sums) {
    __m512i sum[kRowsOfU][kRowsOfV];
    for (size_t j = 0; j < kRowsOfU; ++j) {
        for (size_t k = 0; k < kRowsOfV; ++k) sum[j][k] = _mm512_loadu_si512(sums + j * pieces + k);
    }
    for (size_t i = 0; i < length; i += 8) {
        __m512i r[kRowsOfU], a[kRowsOfU], b[kRowsOfU];
        for (size_t j = 0; j < kRowsOfU; ++j) {
            const size_t at = u_at + j * stride + i;
            r[j] = _mm512_loadu_si512(factors + at);
            a[j] = _mm512_loadu_si512(words.u_a + at);
            b[j] = _mm512_loadu_si512(words.u_b + at);
        }
#pragma GCC unroll 4
        for (size_t k = 0; k < kRowsOfV; ++k) {
            const __m512i va = _mm512_loadu_si512(words.v_a + v_at + k * stride + i);
            const __m512i vb = _mm512_loadu_si512(words.v_b + v_at + k * stride + i);
#pragma GCC unroll 2
            for (size_t j = 0; j < kRowsOfU; ++j) {
                // (a va) xor (b vb)
                const __m512i both =
                    _mm512_ternarylogic_epi64(_mm512_and_si512(a[j], va), b[j], vb, 0x78);
                sum[j][k] =
                    _mm512_ternarylogic_epi64(sum[j][k], _mm512_clmulepi64_epi128(r[j], both, 0x00),
                                              _mm512_clmulepi64_epi128(r[j], both, 0x11), 0x96);
            }
        }
    }
    for (size_t j = 0; j < kRowsOfU; ++j) {
        for (size_t k = 0; k < kRowsOfV; ++k) _mm512_storeu_si512(sums + j * pieces + k, sum[j][k]);
    }
}

WARD_CLMUL void table_wide(const uint64_t* factors, const BitFactors& words, size_t pieces,
                           size_t length, uint64_t* table) {
    std::vector<uint64_t> memory(8 * (pieces * pieces + 1), 0);
    // Aligned to the registers.
    const auto address = reinterpret_cast<uintptr_t>(memory.data());
    auto* sums = reinterpret_cast<__m512i*>((address + 63) / 64 * 64);
    for (size_t begin = 0; begin < length; begin += kChunk) {
        const size_t count = std::min(kChunk, length - begin);
        for (size_t j = 0; j < pieces; j += kRowsOfU) {
            for (size_t k = 0; k < pieces; k += kRowsOfV) {
                add_block(factors, words, j * length + begin, k * length + begin, length, count,
                          pieces, sums + j * pieces + k);
            }
        }
    }
    for (size_t at = 0; at < pieces * pieces; ++at) {
        alignas(64) std::array<uint64_t, 8> lanes;
        _mm512_store_si512(lanes.data(), sums[at]);
        Gf64Wide sum;
        for (size_t k = 0; k < 8; k += 2) {
            sum.low ^= lanes[k];
            sum.high ^= lanes[k + 1];
        }
        table[at] = gf64_reduce(sum);
    }
}

// One column of words: each bit of a word says whether its factor is added to the bit's element.
WARD_CLMUL void fold_wide(const uint64_t* words, const BitFold& fold, size_t pieces,
                          size_t length) {
    for (size_t i = 0; i < length; ++i) {
        __m512i by_word[8], by_piece[8];
        for (size_t v = 0; v < 8; ++v) by_word[v] = by_piece[v] = _mm512_setzero_si512();
        for (size_t j = 0; j < pieces; ++j) {
            const size_t at = j * length + i;
            const __m512i f = _mm512_set1_epi64(static_cast<long long>(fold.word_factors[at]));
            const __m512i y = _mm512_set1_epi64(static_cast<long long>(fold.piece_factors[j]));
            const uint64_t word = words[at];
            if (i % 8 == 0) {  // pieces are far apart: the next columns of each
                _mm_prefetch(words + at + 8, _MM_HINT_T0);
                _mm_prefetch(fold.word_factors + at + 8, _MM_HINT_T0);
            }
#pragma GCC unroll 8
            for (size_t v = 0; v < 8; ++v) {
                const auto bits = static_cast<__mmask8>(word >> (8 * v));
                by_word[v] = _mm512_mask_xor_epi64(by_word[v], bits, by_word[v], f);
                by_piece[v] = _mm512_mask_xor_epi64(by_piece[v], bits, by_piece[v], y);
            }
        }
        for (size_t v = 0; v < 8; ++v) {
            _mm512_storeu_si512(fold.by_word + kBits * i + 8 * v, by_word[v]);
            _mm512_storeu_si512(fold.by_piece + kBits * i + 8 * v, by_piece[v]);
        }
    }
    const std::array<uint64_t, kBits> power = powers();
    for (size_t i = 0; i < length; ++i) {
        gf64_scale_each(power.data(), fold.by_word + kBits * i, kBits);
    }
}
#else
bool has_kernels() { return false; }
void table_wide(const uint64_t*, const BitFactors&, size_t, size_t, uint64_t*) {}
void fold_wide(const uint64_t*, const BitFold&, size_t, size_t) {}
#endif

}  // namespace

void bit_table_portable(const uint64_t* factors, const BitFactors& words, size_t pieces,
                        size_t length, uint64_t* table) {
    std::vector<uint64_t> products(length);
    for (size_t j = 0; j < pieces; ++j) {
        for (size_t k = 0; k < pieces; ++k) {
            for (size_t i = 0; i < length; ++i) {
                const size_t u = j * length + i, v = k * length + i;
                products[i] = (words.u_a[u] & words.v_a[v]) ^ (words.u_b[u] & words.v_b[v]);
            }
            table[j * pieces + k] = gf64_dot(factors + j * length, products.data(), length);
        }
    }
}

void bit_fold_portable(const uint64_t* words, const BitFold& fold, size_t pieces, size_t length) {
    std::fill_n(fold.by_word, kBits * length, 0);
    std::fill_n(fold.by_piece, kBits * length, 0);
    for (size_t j = 0; j < pieces; ++j) {
        for (size_t i = 0; i < length; ++i) {
            const uint64_t word = words[j * length + i];
            for (size_t b = 0; b < kBits; ++b) {
                const uint64_t mask = 0 - (word >> b & 1);
                fold.by_word[kBits * i + b] ^= fold.word_factors[j * length + i] & mask;
                fold.by_piece[kBits * i + b] ^= fold.piece_factors[j] & mask;
            }
        }
    }
    const std::array<uint64_t, kBits> power = powers();
    for (size_t i = 0; i < length; ++i) {
        gf64_scale_each(power.data(), fold.by_word + kBits * i, kBits);
    }
}

void bit_table(const uint64_t* factors, const BitFactors& words, size_t pieces, size_t length,
               uint64_t* table) {
    const auto kernel = has_kernels() ? table_wide : bit_table_portable;
    kernel(factors, words, pieces, length, table);
}

void bit_fold(const uint64_t* words, const BitFold& fold, size_t pieces, size_t length) {
    const auto kernel = has_kernels() ? fold_wide : bit_fold_portable;
    kernel(words, fold, pieces, length);
}

}  // namespace ward::mpc::internal
