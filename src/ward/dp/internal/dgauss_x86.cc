// AVX2 and AVX-512 kernels; the same operations in the same order as dgauss_scalar.cc.
// No product here feeds a sum but through an explicit fused operation, so no compiler can fuse
// more in one variant than in another: all agree bit for bit.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#endif
#include <immintrin.h>

#include <array>
#include <bit>

#include "ward/dp/internal/dgauss_kernels.h"

#define WARD_AVX2 __attribute__((target("avx2,fma")))
#define WARD_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

namespace ward::dp::internal {
namespace {

// For each 8-bit mask the lanes that are set, moved to the front.
constexpr auto kCompress = [] {
    std::array<std::array<uint32_t, 8>, 256> table{};
    for (uint32_t mask = 0; mask < 256; ++mask) {
        uint32_t next = 0;
        for (uint32_t lane = 0; lane < 8; ++lane) {
            if ((mask >> lane & 1) != 0) table[mask][next++] = lane;
        }
    }
    return table;
}();

// The lanes of `unsure` decided one by one, in order.
unsigned decide_lanes(const DgaussTable& table, unsigned unsure, const uint32_t* bins,
                      const uint32_t* magnitudes, const uint32_t* us, Random& random) {
    unsigned accepted = 0;
    for (; unsure != 0; unsure &= unsure - 1) {
        const int lane = std::countr_zero(unsure);
        if (dgauss_accept_exactly(table, bins[lane], magnitudes[lane], us[lane], random)) {
            accepted |= 1u << lane;
        }
    }
    return accepted;
}

}  // namespace

WARD_AVX2 size_t dgauss_avx2(const DgaussTable& table, const uint32_t* a, const uint32_t* b,
                             size_t n, int32_t* out, Random& random) {
    const __m128i width_shift = _mm_cvtsi32_si128(table.log2_width);
    const __m128i u_shift = _mm_cvtsi32_si128(table.u_shift);
    const __m256i low_mask = _mm256_set1_epi32((1 << table.log2_width) - 1);
    const __m256i half_mask = _mm256_set1_epi32(0xffff);
    const __m256 low_unit = _mm256_set1_ps(table.low_unit);
    const __m256 curvature = _mm256_set1_ps(table.curvature);
    const __m256 u_unit = _mm256_set1_ps(table.u_unit);
    const auto* alias = reinterpret_cast<const int*>(table.alias);
    size_t count = 0;
    for (size_t i = 0; i < n; i += 8) {
        const __m256i wa = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + i));
        const __m256i wb = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + i));
        const __m256i cell = _mm256_srli_epi32(wa, 22);
        const __m256i entry = _mm256_i32gather_epi32(alias, cell, 4);
        const __m256i draw = _mm256_and_si256(_mm256_srli_epi32(wa, 6), half_mask);
        const __m256i keep = _mm256_cmpgt_epi32(_mm256_srli_epi32(entry, 16), draw);
        const __m256i bin = _mm256_blendv_epi8(_mm256_and_si256(entry, half_mask), cell, keep);
        const __m256i low = _mm256_and_si256(wb, low_mask);
        const __m256i u = _mm256_srl_epi32(wb, u_shift);
        const __m256i magnitude = _mm256_or_si256(_mm256_sll_epi32(bin, width_shift), low);

        const __m256 l = _mm256_mul_ps(_mm256_cvtepi32_ps(low), low_unit);
        const __m256 twice = _mm256_cvtepi32_ps(_mm256_slli_epi32(bin, 1));
        const __m256 t = _mm256_mul_ps(_mm256_mul_ps(l, _mm256_add_ps(twice, l)), curvature);
        __m256 p = _mm256_fmadd_ps(t, _mm256_set1_ps(-1.0f / 120), _mm256_set1_ps(1.0f / 24));
        p = _mm256_fmadd_ps(t, p, _mm256_set1_ps(-1.0f / 6));
        p = _mm256_fmadd_ps(t, p, _mm256_set1_ps(0.5f));
        p = _mm256_fmadd_ps(t, p, _mm256_set1_ps(-1.0f));
        p = _mm256_fmadd_ps(t, p, _mm256_set1_ps(1.0f));
        const __m256 height = _mm256_i32gather_ps(table.height, bin, 4);
        const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(u), u_unit);
        const __m256 gap = _mm256_fnmadd_ps(height, p, scaled);

        const __m256 sure = _mm256_cmp_ps(gap, _mm256_set1_ps(table.sure_accept), _CMP_LE_OQ);
        const __m256 open = _mm256_cmp_ps(gap, _mm256_set1_ps(table.sure_reject), _CMP_LT_OQ);
        auto accepted = static_cast<unsigned>(_mm256_movemask_ps(sure));
        const unsigned unsure = static_cast<unsigned>(_mm256_movemask_ps(open)) & ~accepted;
        if (unsure != 0) [[unlikely]] {
            alignas(32) uint32_t bins[8], magnitudes[8], us[8];
            _mm256_store_si256(reinterpret_cast<__m256i*>(bins), bin);
            _mm256_store_si256(reinterpret_cast<__m256i*>(magnitudes), magnitude);
            _mm256_store_si256(reinterpret_cast<__m256i*>(us), u);
            accepted |= decide_lanes(table, unsure, bins, magnitudes, us, random);
        }
        // All ones where the sign bit (bit 5) is set; (m ^ s) - s negates.
        const __m256i sign = _mm256_srai_epi32(_mm256_slli_epi32(wa, 26), 31);
        const __m256i is_zero = _mm256_cmpeq_epi32(magnitude, _mm256_setzero_si256());
        accepted &= ~static_cast<unsigned>(
            _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_and_si256(is_zero, sign))));
        const __m256i value = _mm256_sub_epi32(_mm256_xor_si256(magnitude, sign), sign);
        const __m256i order =
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kCompress[accepted].data()));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + count),
                            _mm256_permutevar8x32_epi32(value, order));
        count += static_cast<size_t>(std::popcount(accepted));
    }
    return count;
}

WARD_AVX512 size_t dgauss_avx512(const DgaussTable& table, const uint32_t* a, const uint32_t* b,
                                 size_t n, int32_t* out, Random& random) {
    const __m128i width_shift = _mm_cvtsi32_si128(table.log2_width);
    const __m128i u_shift = _mm_cvtsi32_si128(table.u_shift);
    const __m512i low_mask = _mm512_set1_epi32((1 << table.log2_width) - 1);
    const __m512i half_mask = _mm512_set1_epi32(0xffff);
    const __m512 low_unit = _mm512_set1_ps(table.low_unit);
    const __m512 curvature = _mm512_set1_ps(table.curvature);
    const __m512 u_unit = _mm512_set1_ps(table.u_unit);
    size_t count = 0;
    for (size_t i = 0; i < n; i += 16) {
        const __m512i wa = _mm512_loadu_si512(a + i);
        const __m512i wb = _mm512_loadu_si512(b + i);
        const __m512i cell = _mm512_srli_epi32(wa, 22);
        const __m512i entry = _mm512_i32gather_epi32(cell, table.alias, 4);
        const __m512i draw = _mm512_and_si512(_mm512_srli_epi32(wa, 6), half_mask);
        const __mmask16 keep = _mm512_cmplt_epu32_mask(draw, _mm512_srli_epi32(entry, 16));
        const __m512i bin = _mm512_mask_mov_epi32(_mm512_and_si512(entry, half_mask), keep, cell);
        const __m512i low = _mm512_and_si512(wb, low_mask);
        const __m512i u = _mm512_srl_epi32(wb, u_shift);
        const __m512i magnitude = _mm512_or_si512(_mm512_sll_epi32(bin, width_shift), low);

        const __m512 l = _mm512_mul_ps(_mm512_cvtepi32_ps(low), low_unit);
        const __m512 twice = _mm512_cvtepi32_ps(_mm512_slli_epi32(bin, 1));
        const __m512 t = _mm512_mul_ps(_mm512_mul_ps(l, _mm512_add_ps(twice, l)), curvature);
        __m512 p = _mm512_fmadd_ps(t, _mm512_set1_ps(-1.0f / 120), _mm512_set1_ps(1.0f / 24));
        p = _mm512_fmadd_ps(t, p, _mm512_set1_ps(-1.0f / 6));
        p = _mm512_fmadd_ps(t, p, _mm512_set1_ps(0.5f));
        p = _mm512_fmadd_ps(t, p, _mm512_set1_ps(-1.0f));
        p = _mm512_fmadd_ps(t, p, _mm512_set1_ps(1.0f));
        const __m512 height = _mm512_i32gather_ps(bin, table.height, 4);
        const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(u), u_unit);
        const __m512 gap = _mm512_fnmadd_ps(height, p, scaled);

        unsigned accepted = _mm512_cmp_ps_mask(gap, _mm512_set1_ps(table.sure_accept), _CMP_LE_OQ);
        const unsigned unsure =
            _mm512_cmp_ps_mask(gap, _mm512_set1_ps(table.sure_reject), _CMP_LT_OQ) & ~accepted;
        if (unsure != 0) [[unlikely]] {
            alignas(64) uint32_t bins[16], magnitudes[16], us[16];
            _mm512_store_si512(bins, bin);
            _mm512_store_si512(magnitudes, magnitude);
            _mm512_store_si512(us, u);
            accepted |= decide_lanes(table, unsure, bins, magnitudes, us, random);
        }
        const __mmask16 negative = _mm512_test_epi32_mask(wa, _mm512_set1_epi32(1 << 5));
        accepted &=
            ~static_cast<unsigned>(_mm512_mask_testn_epi32_mask(negative, magnitude, magnitude));
        const __m512i value =
            _mm512_mask_sub_epi32(magnitude, negative, _mm512_setzero_si512(), magnitude);
        // Compressing in a register and storing all lanes: the memory form is slow on Zen.
        _mm512_storeu_si512(out + count,
                            _mm512_maskz_compress_epi32(static_cast<__mmask16>(accepted), value));
        count += static_cast<size_t>(std::popcount(accepted));
    }
    return count;
}

}  // namespace ward::dp::internal
