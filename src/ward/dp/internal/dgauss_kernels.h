// Tables and kernels of the discrete Gaussian sampler (see dp/discrete_gaussian.h).
//
// The magnitude m = |x| is cut into 1024 bins of width w = 2^k: m = j w + low. Bin j has the whole
// weight W_j >= C exp(-(j w)^2 / (2 sigma^2)); the weights sum to 2^26. A candidate (j, low, sign)
// has probability W_j / 2^26 / w / 2 and is accepted with probability
//     rho = C exp(-m^2 / (2 sigma^2)) / W_j <= 1,
// so accepted candidates follow exp(-m^2 / (2 sigma^2)) exactly, whatever C and W_j are. (m = 0
// with sign minus is dropped, or zero would count twice.)
//
// A candidate takes two 32-bit words: a = cell (10 bits) | threshold (16) | sign (1) | unused (5)
// and b = u | low, where u, the top bits of the acceptance uniform, and low do not overlap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ward/core/random.h"

namespace ward::dp::internal {

inline constexpr int kDgaussCells = 1024;

struct DgaussTable {
    alignas(64) uint32_t alias[kDgaussCells];  // (threshold << 16) | other bin
    alignas(64) float height[kDgaussCells];    // C exp(-(j w)^2 / (2 sigma^2)) / W_j
    uint32_t weight[kDgaussCells];             // W_j
    double sigma = 0;
    double scale = 0;       // C, exactly this double
    int log2_width = 0;     // k
    int u_shift = 0;        // u = b >> u_shift
    float low_unit = 0;     // 2^-k
    float curvature = 0;    // w^2 / (2 sigma^2)
    float u_unit = 0;       // 2^u_shift / 2^32
    float sure_accept = 0;  // accept when u * u_unit - rho <= this (< 0)
    float sure_reject = 0;  // reject when u * u_unit - rho >= this (> 0)
    double log_normaliser = 0;
    double tail = 0;  // mass beyond the table
};

DgaussTable make_dgauss_table(double sigma);

// Decides a candidate that float arithmetic could not; draws two words from `random`
// (more after a zero).
bool dgauss_accept_exactly(const DgaussTable& table, uint32_t bin, uint64_t magnitude, uint32_t u,
                           Random& random);

// Turns n candidates (n a multiple of 16) into accepted samples, in order; returns how many. `out`
// has room for n + 16, since whole vectors are stored.
using DgaussKernel = size_t (*)(const DgaussTable& table, const uint32_t* a, const uint32_t* b,
                                size_t n, int32_t* out, Random& random);

size_t dgauss_scalar(const DgaussTable& table, const uint32_t* a, const uint32_t* b, size_t n,
                     int32_t* out, Random& random);
size_t dgauss_avx2(const DgaussTable& table, const uint32_t* a, const uint32_t* b, size_t n,
                   int32_t* out, Random& random);
size_t dgauss_avx512(const DgaussTable& table, const uint32_t* a, const uint32_t* b, size_t n,
                     int32_t* out, Random& random);

// For sigma above 2^25; scalar on all machines.
size_t dgauss_wide(const DgaussTable& table, const uint32_t* a, const uint32_t* b, size_t n,
                   int64_t* out, Random& random);

DgaussKernel dgauss_kernel();

}  // namespace ward::dp::internal
