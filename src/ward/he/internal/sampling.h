// Random polynomials: uniform from a public seed, ternary and Gaussian from the system's generator.
//
// The last two take the same time and touch the same memory for every outcome. Thread safety: as
// the generators given.
#pragma once

#include <cstdint>
#include <span>

#include "ward/core/random.h"
#include "ward/core/seed_stream.h"
#include "ward/he/internal/buffer.h"
#include "ward/he/internal/modulus.h"

namespace ward::he::internal {

// Small signed integers that are wiped when they go.
class SmallPoly {
  public:
    explicit SmallPoly(size_t degree) : words_(degree) { words_.secret(); }
    std::span<int64_t> values() {
        return {reinterpret_cast<int64_t*>(words_.data()), words_.size()};
    }
    std::span<const int64_t> values() const {
        return {reinterpret_cast<const int64_t*>(words_.data()), words_.size()};
    }

  private:
    Buffer words_;
};

// n residues from the stream of (seed, index): the low bits(q) bits of each word, those below q.
void sample_uniform(const PublicSeed& seed, uint64_t index, const Modulus& q, uint64_t* out,
                    size_t n);

PublicSeed random_seed(Random& random);

// Uniform on {-1, 0, 1}, up to 2^-63 for each coefficient.
SmallPoly sample_ternary(Random& random, size_t degree);

// The discrete Gaussian of sigma 3.2 cut at 30 (kErrorCut), by inversion; within 2^-60 of it for
// each coefficient.
SmallPoly sample_error(Random& random, size_t degree);

// About the discrete Gaussian of sigma >= `sigma` (at most three times as large), 2^50 at most:
// sums of errors times powers of two (Micciancio and Walter, ia.cr/2017/259). Sets `sigma` to what
// it is.
SmallPoly sample_wide_error(Random& random, size_t degree, double& sigma);

// x mod q for |x| < q.
void small_to_residues(const SmallPoly& x, const Modulus& q, uint64_t* out);

}  // namespace ward::he::internal
