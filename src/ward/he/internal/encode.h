// Slots to the residues of a polynomial.
#pragma once

#include <vector>

#include "ward/he/internal/embedding.h"
#include "ward/he/internal/ring.h"

namespace ward::he::internal {

struct Slots {
    std::vector<double> re, im;
};

// Relative to the largest slot, the error of the transforms: some units of 2^-53 for each level.
inline constexpr double kTransformError = 0x1p-46;
// Coefficients stay below this.
inline constexpr double kLargestCoefficient = 0x1p61;

// The polynomial whose values at the slots are those given times the scale, repeated with their
// period: transformed, modulo the first data primes and perhaps the special ones.
Poly encode_rows(const Ring& ring, const Embedding& embedding, Slots slots, double scale,
                 size_t limbs, bool with_special);

}  // namespace ward::he::internal
