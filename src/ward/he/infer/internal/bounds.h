// Bounds that a caller knows better than the operations do.
#pragma once

#include <span>

#include "ward/he/ckks.h"

namespace ward::he::internal {

// x + its rotations by steps[0], then that + its rotations by steps[1], ... The errors of a
// ciphertext and its rotation, which are those of different slots, count as independent: bounds
// grow by the root of two. An assumption; sums over a thousand slots would be bounded 32 times
// higher.
Ciphertext fold_independent(const CkksEvaluator& evaluator, Ciphertext x,
                            std::span<const int> steps, const GaloisKeys& keys, double value_bound);

}  // namespace ward::he::internal
