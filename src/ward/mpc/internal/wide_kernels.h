// Arithmetic modulo 2^128 on rows of 64-bit words, for the proofs of numbers (verify_numbers.h).
//
// Numbers of 128 bits are cut into limbs of 52 bits and multiplied by VPMADD52, eight at a time,
// where the processor has it; portable code gives the same results. Thread safety: free functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ward::mpc::internal {

__extension__ using Uint128 = unsigned __int128;

// Row j is low[j stride + i] + 2^64 high[j stride + i]; high may be nullptr, which means zeros.
struct WideRows {
    const uint64_t* low = nullptr;
    const uint64_t* high = nullptr;
    size_t stride = 0;
};

// Rows come in multiples of this, and lengths in multiples of 8; callers fill up with zeros.
inline constexpr size_t kWideRowStep = 4;
inline constexpr size_t kWideLengthStep = 8;

// table[j v_count + k] = sum over i of u_j[i] v_k[i], for v of 64 bits.
void wide_table(const WideRows& u, size_t u_count, const uint64_t* v, size_t v_stride,
                size_t v_count, size_t length, Uint128* table);

// out[i] = sum over j of factors[j] u_j[i]; at most 1024 rows.
void wide_fold(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
               Uint128* out);

// The portable variants, for tests.
void wide_table_scalar(const WideRows& u, size_t u_count, const uint64_t* v, size_t v_stride,
                       size_t v_count, size_t length, Uint128* table);
void wide_fold_scalar(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                      Uint128* out);
// Throw nothing; only to be called when has_wide_ifma().
bool has_wide_ifma();
void wide_table_ifma(const WideRows& u, size_t u_count, const uint64_t* v, size_t v_stride,
                     size_t v_count, size_t length, Uint128* table);
void wide_fold_ifma(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                    Uint128* out);

}  // namespace ward::mpc::internal
