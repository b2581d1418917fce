// Between messages modulo t and polynomials modulo the data primes.
#pragma once

#include "ward/he/internal/noise.h"
#include "ward/he/internal/ring.h"

namespace ward::he::internal {

BfvNoise bfv_noise(const Ring& ring);

// round(Q/t m), transformed; m by its coefficients.
Poly scale_up(const Ring& ring, const Poly& message, size_t limbs);

// round(t/Q phase) modulo t; the phase by its coefficients.
Poly scale_down(const Ring& ring, const Poly& phase);

// The largest invariant noise of all coefficients, to about 2^-50; 1/2 is the end. Under a wrong
// key it is within 1/N of 1/2, so what is above this counts as lost.
inline constexpr double kLostNoise = 0.48;
double largest_noise(const Ring& ring, const Poly& phase);

// -1 - log2 of the same, exactly however small; 0 when lost. Takes a while.
double noise_budget_of_phase(const Ring& ring, const Poly& phase);

}  // namespace ward::he::internal
