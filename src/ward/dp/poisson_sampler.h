// Poisson sampling: each example is in the batch independently with exactly the probability that
// the accountant assumes.
//
// The probability is a fraction. Its binary digits are compared with as many random bits as are
// needed to tell them apart: 32 as a rule, 64 more in the event of a tie, and so on; the comparison
// is cut after 224 bits, an error below 2^-224. Batch sizes vary; that is part of the guarantee.
// Thread safety: immutable; a Random per thread.
#pragma once

#include <cstdint>
#include <vector>

#include "ward/core/random.h"

namespace ward::dp {

class PoissonSampler {
  public:
    // Each of `examples` is drawn with probability expected_batch / examples. Throws Error kUsage
    // unless 1 <= expected_batch <= examples.
    PoissonSampler(int64_t expected_batch, int64_t examples);

    // The probability numerator / denominator for `count` examples. Throws Error kUsage unless
    // 0 < numerator <= denominator and count >= 0.
    PoissonSampler(uint64_t numerator, uint64_t denominator, int64_t count);

    // The batch: increasing indices in [0, examples). Time varies with their number.
    std::vector<int64_t> sample(Random& random) const;

    double probability() const;
    int64_t examples() const { return count_; }

  private:
    uint64_t numerator_ = 1;
    uint64_t denominator_ = 1;
    int64_t count_ = 0;
    uint32_t first_digit_ = 0;       // floor(2^32 p)
    uint64_t later_digits_[3] = {};  // the next 192 binary digits of p
};

}  // namespace ward::dp
