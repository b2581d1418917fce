// The product of two BFV ciphertexts: t/Q times the tensor product over the integers, rounded.
#pragma once

#include <vector>

#include "ward/he/internal/ring.h"

namespace ward::he::internal {

// Two pairs of transformed polynomials over the same data primes to three.
std::vector<Poly> bfv_product(const Ring& ring, const std::vector<Poly>& a,
                              const std::vector<Poly>& b);

}  // namespace ward::he::internal
