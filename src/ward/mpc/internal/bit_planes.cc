#include "ward/mpc/internal/bit_planes.h"

#include <algorithm>

#include "ward/core/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ward::mpc::internal {

void expand_bits_portable(const uint64_t* words, size_t count, uint64_t* out) {
    for (size_t i = 0; i < count; ++i) out[i] = words[i / 64] >> (i % 64) & 1;
}

#if defined(__x86_64__)
namespace {

__attribute__((target("avx512f"))) void expand_bits_avx512(const uint64_t* words, size_t count,
                                                           uint64_t* out) {
    const __m512i one = _mm512_set1_epi64(1);
    const size_t whole = count / 64;
    for (size_t w = 0; w < whole; ++w) {
        for (size_t k = 0; k < 8; ++k) {
            const auto bits = static_cast<__mmask8>(words[w] >> (8 * k));
            _mm512_storeu_si512(out + 64 * w + 8 * k, _mm512_maskz_mov_epi64(bits, one));
        }
    }
    expand_bits_portable(words + whole, count - 64 * whole, out + 64 * whole);
}

}  // namespace
#endif

void expand_bits(const uint64_t* words, size_t count, uint64_t* out) {
#if defined(__x86_64__)
    if (isa() == Isa::kAvx512) return expand_bits_avx512(words, count, out);
#endif
    expand_bits_portable(words, count, out);
}

void transpose_64x64(uint64_t* words) {
    uint64_t mask = 0x0000'0000'ffff'ffff;
    for (size_t width = 32; width != 0; width >>= 1, mask ^= mask << width) {
        for (size_t block = 0; block < 64; block += 2 * width) {
            for (size_t i = block; i < block + width; ++i) {
                const uint64_t swap = ((words[i] >> width) ^ words[i + width]) & mask;
                words[i] ^= swap << width;
                words[i + width] ^= swap;
            }
        }
    }
}

void to_planes(const uint64_t* values, size_t count, uint64_t* planes) {
    const size_t words = (count + 63) / 64;
    std::array<uint64_t, 64> block;
    for (size_t w = 0; w < words; ++w) {
        const size_t here = std::min<size_t>(64, count - 64 * w);
        std::copy_n(values + 64 * w, here, block.begin());
        std::fill(block.begin() + static_cast<std::ptrdiff_t>(here), block.end(), 0);
        transpose_64x64(block.data());
        for (size_t j = 0; j < 64; ++j) planes[j * words + w] = block[j];
    }
}

void group_levels(const uint64_t* bits, size_t num_bits, uint64_t* out) {
    // By the highest bit: for t > 0, [n >= half + t] = top and [rest >= t]; [n >= t] = top or it.
    size_t size = 1;  // levels are known for numbers below `size`, in out[0 .. size - 2]
    for (size_t j = 0; j < num_bits; ++j, size *= 2) {
        const uint64_t top = bits[j];
        for (size_t t = 1; t < size; ++t) out[size + t - 1] = top & out[t - 1];
        out[size - 1] = top;
        for (size_t t = 1; t < size; ++t) out[t - 1] |= top;
    }
}

Carry choose_carry(const uint64_t* levels, uint64_t always, const uint64_t* b_bits,
                   size_t num_bits) {
    // Entry i of both lists belongs to b = i; halving by each bit of b leaves the chosen one.
    size_t size = size_t{1} << num_bits;
    std::array<uint64_t, 17> u;
    u[0] = always;
    std::copy_n(levels, size - 1, u.begin() + 1);
    u[size] = 0;
    std::array<uint64_t, 16> generate, below;
    for (size_t i = 0; i < size; ++i) {
        generate[i] = u[size - i];
        below[i] = u[size - 1 - i];
    }
    for (size_t j = num_bits; j-- > 0;) {
        size /= 2;
        for (size_t i = 0; i < size; ++i) {
            generate[i] ^= b_bits[j] & (generate[i] ^ generate[i + size]);
            below[i] ^= b_bits[j] & (below[i] ^ below[i + size]);
        }
    }
    return {generate[0], generate[0] ^ below[0]};
}

}  // namespace ward::mpc::internal
