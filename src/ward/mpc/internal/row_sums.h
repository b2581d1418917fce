// Sums of randomly selected rows: the product of a 0/1 matrix of 44 rows with a matrix over Z_2^64,
// for the projections of verify_matrices.h.
//
// The sums of all subsets of 4 rows are made once for 44 results (Arlazarov, Dinic, Kronrod,
// Faradzev 1970), eight columns at a time with AVX-512; portable code gives the same results. The
// selection is public. Thread safety: free functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ward::mpc::internal {

inline constexpr size_t kRowSums = 44;
inline constexpr size_t kRowGroup = 4;

// What is selected, for rows in groups of four: byte g kRowSums + r says by its low four bits which
// rows of group g are in sum r.
inline constexpr size_t selection_bytes(size_t rows) {
    return (rows + kRowGroup - 1) / kRowGroup * kRowSums;
}

// out[r out_stride + c] = sum of x[j cols + c] over all rows j selected for r.
void row_sums(const uint8_t* selection, const uint64_t* x, size_t rows, size_t cols, uint64_t* out,
              size_t out_stride);
// The same of the columns of x, which the selection is of: out[r out_stride + j] = sum of
// x[j cols + c] over all columns c selected for r.
void column_sums(const uint8_t* selection, const uint64_t* x, size_t rows, size_t cols,
                 uint64_t* out, size_t out_stride);

// The portable variants, for tests.
void row_sums_portable(const uint8_t* selection, const uint64_t* x, size_t rows, size_t cols,
                       uint64_t* out, size_t out_stride);
void column_sums_portable(const uint8_t* selection, const uint64_t* x, size_t rows, size_t cols,
                          uint64_t* out, size_t out_stride);

}  // namespace ward::mpc::internal
