// The discrete Gaussian on the integers: P(x) proportional to exp(-x^2 / (2 sigma^2)).
//
// Noise for released values is drawn here, on a lattice, so the attacks on the rounding of
// floating-point samplers (Mironov 2012) have nothing to hold on to: the output is an integer whose
// probability is known. Privacy of the mechanism: Canonne, Kamath, Steinke 2020 (arXiv 2004.00010).
//
// Method: rejection from a step function whose heights are whole numbers (so the envelope is
// exact), chosen by an integer alias table; acceptance is decided in vector float arithmetic where
// its error bound allows and otherwise in double-double arithmetic with 106 further random bits.
// The law is exact but for a total variation of at most statistical_distance(), see
// docs/decisions/0010-discrete-gaussian.md. All instruction sets give the same values from the same
// generator.
//
// Time varies with the values drawn (`_vartime`): an observer of exact timings learns how many
// candidates were rejected, never a value that was accepted beyond what their number tells. Thread
// safety: immutable; a Random per thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "ward/core/random.h"

namespace ward::dp {

namespace internal {
struct DgaussTable;
}

class DiscreteGaussian {
  public:
    static constexpr double kMinSigma = 0x1p-10;
    static constexpr double kMaxSigma32 = 0x1p25;  // largest for 32-bit output
    static constexpr double kMaxSigma = 0x1p30;

    // Builds the table, about 0.1 ms. Throws Error kUsage unless kMinSigma <= sigma <= kMaxSigma.
    explicit DiscreteGaussian(double sigma);

    double sigma() const;

    // Independent samples; >= 300 million a second on one core with AVX-512. The 32-bit form throws
    // Error kUsage when sigma > kMaxSigma32. Both forms give the same values.
    void sample_vartime(Random& random, std::span<int32_t> out) const;
    void sample_vartime(Random& random, std::span<int64_t> out) const;

    // As above on all threads of parallel_for: each 65,536 values come from their own split of
    // `random`, so the result does not depend on the number of threads.
    void sample_parallel_vartime(Random& random, std::span<int32_t> out) const;

    // log P(x), to about 1e-12 relative.
    double log_probability(int64_t x) const;

    // How far the law drawn may be from the exact one: each probability within a factor
    // 1 +- relative_error() (2^-92, from double-double arithmetic), but for values of total mass at
    // most tail_mass() (below 2^-730), which are never drawn. n samples: n relative_error() in
    // epsilon, n tail_mass() in delta, for each of the two laws compared.
    double relative_error() const;
    double tail_mass() const;

  private:
    std::shared_ptr<const internal::DgaussTable> table_;
};

}  // namespace ward::dp
