// From residues modulo one set of primes to residues modulo others, of the same number in
// [-D/2, D/2), D the product of the first set (Halevi, Polyakov and Shoup, ia.cr/2018/117).
//
// The number of times D has to be taken off comes from a sum of doubles; numbers within about
// 2^-49 D of +-D/2 may get the other sign, which every caller tolerates. Immutable.
#pragma once

#include <vector>

#include "ward/he/internal/kernels.h"

namespace ward::he::internal {

class BaseConversion {
  public:
    BaseConversion(const std::vector<Modulus>& from, const std::vector<Modulus>& to);

    size_t from_count() const { return from_.size(); }
    size_t to_count() const { return to_.size(); }
    // `in` are from_count() polynomials of coefficients, `out` to_count() others; where out[i] is
    // null that target is left out. Not in place. Works through all targets in pieces that stay in
    // the first-level cache.
    void convert(const uint64_t* const* in, size_t n, uint64_t* const* out) const;

    // The same in two steps, for callers that want the targets one by one.
    size_t scratch_words(size_t n) const { return (from_.size() + 1) * n; }
    void prepare(const uint64_t* const* in, size_t n, uint64_t* scratch) const;
    void finish(size_t target, size_t n, const uint64_t* scratch, uint64_t* out) const;

  private:
    std::vector<Modulus> from_, to_;
    std::vector<Factor> inverse_hats_;         // (D / from[i])^-1 mod from[i]
    std::vector<double> inverses_;             // 1 / from[i]
    std::vector<std::vector<uint64_t>> hats_;  // [target][i]: D / from[i] mod to; last: -D mod to
};

// Product of the moduli, `skip` left out, modulo `q`.
uint64_t product_mod(const std::vector<Modulus>& moduli, const Modulus& q, size_t skip = SIZE_MAX);

}  // namespace ward::he::internal
