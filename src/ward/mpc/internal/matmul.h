// Products of matrices over Z_2^64 in the clear, the local part of every secure product.
//
// Blocked so that the packed parts of B stay in the second-level cache and those of A in the first;
// AVX-512 where the processor has it (8 x 24 products at a time by VPMULLQ, which on Zen 5 starts
// one a cycle; on Intel it is three micro-operations), portable loops for the rest. All variants
// compute the same integers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ward::mpc::internal {

// C (rows x cols) += A (rows x inner) B (inner x cols), row-major without gaps.
void matmul_accumulate(const uint64_t* a, const uint64_t* b, uint64_t* c, size_t rows, size_t inner,
                       size_t cols);

// out (cols x rows) = transpose of in (rows x cols).
void transpose(const uint64_t* in, uint64_t* out, size_t rows, size_t cols);

// ---- the variants, for tests

inline constexpr size_t kTileRows = 8;
inline constexpr size_t kTileCols = 24;

// tile (kTileRows x kTileCols) = sum over k of a[k][row] b[k][col], both packed.
using TileKernel = void (*)(const uint64_t* a, const uint64_t* b, size_t inner, uint64_t* tile);
void tile_scalar(const uint64_t* a, const uint64_t* b, size_t inner, uint64_t* tile);
void tile_avx2(const uint64_t* a, const uint64_t* b, size_t inner, uint64_t* tile);
void tile_avx512(const uint64_t* a, const uint64_t* b, size_t inner, uint64_t* tile);

void matmul_accumulate_with(TileKernel kernel, const uint64_t* a, const uint64_t* b, uint64_t* c,
                            size_t rows, size_t inner, size_t cols);

}  // namespace ward::mpc::internal
