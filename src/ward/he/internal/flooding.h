// Noise that covers errors which tell more than values may.
#pragma once

#include "ward/he/encrypt.h"
#include "ward/he/internal/ring.h"
#include "ward/he/internal/sampling.h"

namespace ward::he::internal {

struct Flood {
    SmallPoly noise;
    double bound;  // of the noise, in the canonical norm of the phase
};

// For a phase whose error is at most `error`, and which bears `room` of noise. Throws Error
// kInvalid for bits out of range, kRefused when the noise does not fit.
Flood sample_flood(const Ring& ring, double error, double room, const FloodingOptions& options,
                   Random& random);

// Adds a polynomial with small coefficients to a transformed one over the first data primes.
void add_small(const Ring& ring, const SmallPoly& small, Poly& poly);

}  // namespace ward::he::internal
