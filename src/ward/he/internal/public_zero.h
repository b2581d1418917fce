// A fresh encryption of zero under a public key.
#pragma once

#include "ward/he/internal/bodies.h"

namespace ward::he::internal {

// Adds (b u + e0, a u + e1) to the two polynomials, over as many primes as they have; the error
// that this adds to a phase is at most Noise::fresh_public. u uniform ternary.
void add_public_zero(const PublicKeyBody& key, Random& random, Poly& c0, Poly& c1);

}  // namespace ward::he::internal
