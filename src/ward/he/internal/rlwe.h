// Ring learning-with-errors ciphertexts without a meaning: what CKKS and BFV share.
//
// A ciphertext is a list of polynomials c0, c1(, c2) in the order of the transform; its phase is
// c0 + c1 s + c2 s^2 modulo its data primes. Functions only; thread safety as their arguments.
#pragma once

#include <vector>

#include "ward/core/random.h"
#include "ward/he/internal/ring.h"
#include "ward/he/internal/sampling.h"

namespace ward::he::internal {

// Small polynomial to `limbs` data primes (and the special ones), transformed.
Poly to_ntt(const Ring& ring, const SmallPoly& small, size_t limbs, bool with_special);

// The number of the prime behind row `row` of a polynomial over `limbs` data primes and all special
// ones.
inline size_t prime_of_row(const Ring& ring, size_t limbs, size_t row) {
    return row < limbs ? row : ring.special(row - limbs);
}

// c0 + c1 s + ... modulo the first `limbs` primes. The secret covers at least those.
Poly phase(const Ring& ring, const std::vector<Poly>& parts, const Poly& secret, size_t limbs);

void add_in_place(const Ring& ring, Poly& a, const Poly& b);
void subtract_in_place(const Ring& ring, Poly& a, const Poly& b);

// Divides by the last data prime and rounds; one row fewer.
Poly drop_last(const Ring& ring, const Poly& poly);

// X -> X^element, places as of automorphism_places.
Poly permute(const Poly& poly, const std::vector<uint32_t>& places);

// All rows out of the order of the transform and into it; rows are data primes.
void inverse_transform(const Ring& ring, Poly& poly);
void forward_transform(const Ring& ring, Poly& poly);

}  // namespace ward::he::internal
