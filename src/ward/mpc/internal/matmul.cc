#include "ward/mpc/internal/matmul.h"

#include <algorithm>
#include <vector>

#include "ward/core/cpu.h"

namespace ward::mpc::internal {
namespace {

constexpr size_t kInnerBlock = 256;
constexpr size_t kColsBlock = 10 * kTileCols;  // 480 KB of packed B
constexpr size_t kTransposeBlock = 16;

// Panels of kTileCols columns, each [inner][kTileCols], zeros behind the last column.
void pack_b(const uint64_t* b, size_t stride, size_t inner, size_t cols, uint64_t* out) {
    for (size_t panel = 0; panel < cols; panel += kTileCols) {
        const size_t width = std::min(kTileCols, cols - panel);
        for (size_t k = 0; k < inner; ++k, out += kTileCols) {
            const uint64_t* row = b + k * stride + panel;
            std::copy_n(row, width, out);
            std::fill(out + width, out + kTileCols, 0);
        }
    }
}

void pack_a(const uint64_t* a, size_t stride, size_t rows, size_t inner, uint64_t* out) {
    for (size_t k = 0; k < inner; ++k) {
        for (size_t r = 0; r < kTileRows; ++r) {
            out[k * kTileRows + r] = r < rows ? a[r * stride + k] : 0;
        }
    }
}

void add_tile(const uint64_t* tile, uint64_t* c, size_t stride, size_t rows, size_t cols) {
    for (size_t r = 0; r < rows; ++r) {
        for (size_t j = 0; j < cols; ++j) c[r * stride + j] += tile[r * kTileCols + j];
    }
}

// Plain loops; the compiler makes vectors of them for the instruction set of the caller.
__attribute__((always_inline)) inline void tile_loops(const uint64_t* a, const uint64_t* b,
                                                      size_t inner, uint64_t* tile) {
    std::fill_n(tile, kTileRows * kTileCols, 0);
    for (size_t k = 0; k < inner; ++k) {
        for (size_t r = 0; r < kTileRows; ++r) {
            const uint64_t factor = a[k * kTileRows + r];
            for (size_t j = 0; j < kTileCols; ++j) {
                tile[r * kTileCols + j] += factor * b[k * kTileCols + j];
            }
        }
    }
}

TileKernel best_kernel() {
    if (isa() == Isa::kAvx512) return tile_avx512;
    return isa() == Isa::kAvx2 ? tile_avx2 : tile_scalar;
}

}  // namespace

void tile_scalar(const uint64_t* a, const uint64_t* b, size_t inner, uint64_t* tile) {
    tile_loops(a, b, inner, tile);
}

__attribute__((target("avx2"))) void tile_avx2(const uint64_t* a, const uint64_t* b, size_t inner,
                                               uint64_t* tile) {
    tile_loops(a, b, inner, tile);
}

void matmul_accumulate_with(TileKernel kernel, const uint64_t* a, const uint64_t* b, uint64_t* c,
                            size_t rows, size_t inner, size_t cols) {
    const size_t block_cols = std::min(kColsBlock, (cols + kTileCols - 1) / kTileCols * kTileCols);
    std::vector<uint64_t> packed_b(std::min(kInnerBlock, inner) * block_cols);
    alignas(64) uint64_t packed_a[kTileRows * kInnerBlock];
    alignas(64) uint64_t tile[kTileRows * kTileCols];
    for (size_t k0 = 0; k0 < inner; k0 += kInnerBlock) {
        const size_t depth = std::min(kInnerBlock, inner - k0);
        for (size_t j0 = 0; j0 < cols; j0 += kColsBlock) {
            const size_t width = std::min(kColsBlock, cols - j0);
            pack_b(b + k0 * cols + j0, cols, depth, width, packed_b.data());
            for (size_t i0 = 0; i0 < rows; i0 += kTileRows) {
                const size_t height = std::min(kTileRows, rows - i0);
                pack_a(a + i0 * inner + k0, inner, height, depth, packed_a);
                for (size_t j = 0; j < width; j += kTileCols) {
                    kernel(packed_a, packed_b.data() + j * depth, depth, tile);
                    add_tile(tile, c + i0 * cols + j0 + j, cols, height,
                             std::min(kTileCols, width - j));
                }
            }
        }
    }
}

void matmul_accumulate(const uint64_t* a, const uint64_t* b, uint64_t* c, size_t rows, size_t inner,
                       size_t cols) {
    static const TileKernel kernel = best_kernel();
    matmul_accumulate_with(kernel, a, b, c, rows, inner, cols);
}

void transpose(const uint64_t* in, uint64_t* out, size_t rows, size_t cols) {
    for (size_t i0 = 0; i0 < rows; i0 += kTransposeBlock) {
        const size_t i1 = std::min(rows, i0 + kTransposeBlock);
        for (size_t j = 0; j < cols; ++j) {
            for (size_t i = i0; i < i1; ++i) out[j * rows + i] = in[i * cols + j];
        }
    }
}

}  // namespace ward::mpc::internal
