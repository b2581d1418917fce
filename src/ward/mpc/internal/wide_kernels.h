// Arithmetic modulo 2^128 and 2^104 on rows of numbers, for the proofs of numbers
// (verify_numbers.h).
//
// Numbers are cut into limbs of 52 bits and multiplied by VPMADD52, eight at a time, where the
// processor has it; portable code gives the same results. Lengths are multiples of 8 and counts of
// rows multiples of 4; callers fill up with zeros. Thread safety: free functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ward::mpc::internal {

__extension__ using Uint128 = unsigned __int128;

inline constexpr int kLimbBits = 52;
inline constexpr int kNarrowBits = 2 * kLimbBits;
inline constexpr size_t kWideLengthStep = 8;

// Row j is low[j stride + i] + 2^64 high[j stride + i]; high may be nullptr, which means zeros.
// Where `rows` is given, row j is at rows[j] instead, and has no high words.
struct WideRows {
    const uint64_t* low = nullptr;
    const uint64_t* high = nullptr;
    size_t stride = 0;
    const uint64_t* const* rows = nullptr;

    const uint64_t* low_of(size_t j) const { return rows != nullptr ? rows[j] : low + j * stride; }
    const uint64_t* high_of(size_t j) const { return high + j * stride; }
};

// The functions below, once for this processor and once portable.
struct WideKernels {
    // table[j v_count + k] = sum over i of u_j[i] v_k[i] modulo 2^128 (v without high words).
    void (*wide_table)(const WideRows& u, size_t u_count, const WideRows& v, size_t v_count,
                       size_t length, Uint128* table);
    // The same modulo 2^104, u without high words either.
    void (*narrow_table)(const WideRows& u, size_t u_count, const WideRows& v, size_t v_count,
                         size_t length, Uint128* table);
    // table[j count + k] = sum over i of u[j length + i] v[k length + i] modulo 2^128.
    void (*full_table)(const Uint128* u, const Uint128* v, size_t count, size_t length,
                       Uint128* table);
    // out[i] = sum over j of factors[j] pieces[j length + i] modulo 2^128, for factors of 52 bits;
    // `out` may be `pieces`.
    void (*full_fold)(const Uint128* factors, const Uint128* pieces, size_t count, size_t length,
                      Uint128* out);
    // out[i] = sum over j of factors[j] u_j[i] modulo 2^128, for factors of 52 bits.
    void (*wide_fold)(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                      Uint128* out);
    // 2^shift times the same modulo 2^104, u without high words.
    void (*narrow_fold)(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                        int shift, Uint128* out);
    // out[i] = factors[i] u[i] modulo 2^64.
    void (*scale_narrow)(const uint64_t* factors, const uint64_t* u, size_t count, uint64_t* out);
    // high[i] gets the upper word of the product.
    void (*scale_wide)(const uint64_t* factors, const uint64_t* u, size_t count, uint64_t* out,
                       uint64_t* high);
};

const WideKernels& portable_wide_kernels();
// nullptr where this processor (or WARD_ISA) has no AVX-512 IFMA.
const WideKernels* ifma_wide_kernels();
const WideKernels& wide_kernels();

inline void wide_table(const WideRows& u, size_t u_count, const WideRows& v, size_t v_count,
                       size_t length, Uint128* table) {
    wide_kernels().wide_table(u, u_count, v, v_count, length, table);
}
inline void narrow_table(const WideRows& u, size_t u_count, const WideRows& v, size_t v_count,
                         size_t length, Uint128* table) {
    wide_kernels().narrow_table(u, u_count, v, v_count, length, table);
}
inline void full_table(const Uint128* u, const Uint128* v, size_t count, size_t length,
                       Uint128* table) {
    wide_kernels().full_table(u, v, count, length, table);
}
inline void full_fold(const Uint128* factors, const Uint128* pieces, size_t count, size_t length,
                      Uint128* out) {
    wide_kernels().full_fold(factors, pieces, count, length, out);
}
inline void wide_fold(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                      Uint128* out) {
    wide_kernels().wide_fold(factors, u, count, length, out);
}
inline void narrow_fold(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                        int shift, Uint128* out) {
    wide_kernels().narrow_fold(factors, u, count, length, shift, out);
}
inline void scale_narrow(const uint64_t* factors, const uint64_t* u, size_t count, uint64_t* out) {
    wide_kernels().scale_narrow(factors, u, count, out);
}
inline void scale_wide(const uint64_t* factors, const uint64_t* u, size_t count, uint64_t* out,
                       uint64_t* high) {
    wide_kernels().scale_wide(factors, u, count, out, high);
}

}  // namespace ward::mpc::internal
