#include "ward/mpc/internal/bit_planes.h"

#include <algorithm>

#include "ward/mpc/internal/vector_loops.h"

namespace ward::mpc::internal {

namespace {

WARD_LOOP void transpose_loop(uint64_t* words) {
    uint64_t mask = 0x0000'0000'ffff'ffff;
#pragma GCC unroll 6
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

WARD_LOOP void planes_loop(const uint64_t* values, size_t count, uint64_t* planes) {
    const size_t words = (count + 63) / 64;
    std::array<uint64_t, 64> block;
    for (size_t w = 0; w < words; ++w) {
        const size_t here = std::min<size_t>(64, count - 64 * w);
        std::copy_n(values + 64 * w, here, block.begin());
        std::fill(block.begin() + static_cast<std::ptrdiff_t>(here), block.end(), 0);
        transpose_loop(block.data());
        for (size_t j = 0; j < 64; ++j) planes[j * words + w] = block[j];
    }
}

}  // namespace

void transpose_64x64(uint64_t* words) { run_loop<transpose_loop>(words); }

void to_planes(const uint64_t* values, size_t count, uint64_t* planes) {
    run_loop<planes_loop>(values, count, planes);
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
