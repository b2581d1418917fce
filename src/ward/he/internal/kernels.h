// The inner loops of the ring arithmetic: one table of functions for each instruction set.
//
// Words are residues below 2^52, `n` a multiple of 8. Outputs may be the inputs; otherwise ranges
// do not overlap. Where nothing else is said inputs and outputs are below q. All variants give
// equal words. Constant time for fixed shapes, but `accept_uniform`, whose words are public.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ward/core/cpu.h"
#include "ward/he/internal/modulus.h"
#include "ward/he/internal/ntt.h"

namespace ward::he::internal {

struct Kernels {
    // Inputs of the forward transform may be below 8q.
    void (*ntt_forward)(const NttTable& table, const uint64_t* in, uint64_t* out);
    void (*ntt_inverse)(const NttTable& table, const uint64_t* in, uint64_t* out);

    void (*add)(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out, size_t n);
    void (*subtract)(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out,
                     size_t n);
    void (*negate)(const Modulus& q, const uint64_t* a, uint64_t* out, size_t n);
    void (*multiply)(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out,
                     size_t n);
    // addend + a b
    void (*multiply_add)(const Modulus& q, const uint64_t* a, const uint64_t* b,
                         const uint64_t* addend, uint64_t* out, size_t n);
    // a w, for a < 2^52.
    void (*multiply_factor)(const Modulus& q, const uint64_t* a, Factor w, uint64_t* out, size_t n);
    // (a - b) w
    void (*subtract_multiply)(const Modulus& q, const uint64_t* a, const uint64_t* b, Factor w,
                              uint64_t* out, size_t n);
    // a + shift mod q, for a + shift < 2^52: change of modulus.
    void (*shift_reduce)(const Modulus& q, const uint64_t* a, uint64_t shift, uint64_t* out,
                         size_t n);
    // sum over d of x[d] y[d], with one reduction; count <= 2^11, and x < 2^52.
    void (*inner_product)(const Modulus& q, const uint64_t* const* x, const uint64_t* const* y,
                          size_t count, uint64_t* out, size_t n);
    // The same x against two lists of y.
    void (*inner_product_pair)(const Modulus& q, const uint64_t* const* x,
                               const uint64_t* const* y0, const uint64_t* const* y1, size_t count,
                               uint64_t* out0, uint64_t* out1, size_t n);
    // sum over d of x[d] scalars[d], for x < 2^52 and count <= 2^11.
    void (*linear_combination)(const Modulus& q, const uint64_t* const* x, const uint64_t* scalars,
                               size_t count, uint64_t* out, size_t n);
    // floor(1/2 + sum over d of x[d] inverses[d]), in doubles added in this order; below 2^51.
    void (*rounded_sum)(const uint64_t* const* x, const double* inverses, size_t count,
                        uint64_t* out, size_t n);
    // out[i] = in[places[i]]; not in place.
    void (*gather)(const uint64_t* in, const uint32_t* places, uint64_t* out, size_t n);
    // Low bits(q) bits of each word, those below q kept in their order until `wanted` are found or
    // the words run out. Returns how many. `out` needs room for wanted + 8.
    size_t (*accept_uniform)(const Modulus& q, const uint64_t* words, size_t count, uint64_t* out,
                             size_t wanted);
    // x mod q for signed numbers of magnitude below 2^62.
    void (*reduce_signed)(const Modulus& q, const int64_t* x, uint64_t* out, size_t n);

    // See loops.h.
    void (*invert_gaussian)(const int64_t* thresholds, int64_t* values, size_t n);
    void (*small_to_residues)(const int64_t* x, int64_t q, uint64_t* out, size_t n);
    void (*fft_level)(bool inverse, size_t n, size_t half, const double* w_re, const double* w_im,
                      double* re, double* im);
    void (*round_scaled)(const double* x, double scale, int64_t* out, size_t n);
};

const Kernels& scalar_kernels();
const Kernels& avx2_kernels();
const Kernels& avx512_ifma_kernels();
bool has_avx2();
bool has_avx512_ifma();

// The best that this processor runs and WARD_ISA allows.
const Kernels& kernels();

}  // namespace ward::he::internal
