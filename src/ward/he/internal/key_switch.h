// Hybrid key switching (Han and Ki, ia.cr/2019/688; Gentry, Halevi and Smart, ia.cr/2012/099).
//
// A key for digit d is an encryption, under the target secret and modulo data and special primes,
// of P s where s is the source secret, P the product of the special primes, in the rows of that
// digit and of 0 in the others. A polynomial is cut into digits (its residues modulo the primes of
// each), every digit is extended to all primes, the inner product with the keys is summed without
// reduction in between, and the result divided by P.
#pragma once

#include <vector>

#include "ward/core/random.h"
#include "ward/he/internal/ring.h"
#include "ward/he/internal/sampling.h"

namespace ward::he::internal {

// For ciphertexts of up to `limbs` data primes; rows are those and the special ones. The halves a
// are expanded from the seed, stream 256 digit + row.
struct SwitchKeyBody {
    size_t limbs = 0;
    PublicSeed seed{};
    std::vector<Poly> b, a;  // by digit
};

// Key from the secret `source` to `target`; both over all data and special primes, transformed.
SwitchKeyBody make_switch_key(const Ring& ring, const Poly& source, const Poly& target,
                              size_t limbs, Random& random);
// The halves a of a key whose seed and limbs are set.
void expand_switch_key(const Ring& ring, SwitchKeyBody& key);

// Digits of a polynomial, extended and transformed: what hoisted rotations share.
std::vector<Poly> decompose(const Ring& ring, const Poly& poly);

struct PolyPair {
    Poly c0, c1;
};

// Inner product with a key, still times P: rows are the data primes of the digits and all special
// ones.
PolyPair inner_product(const Ring& ring, const std::vector<Poly>& digits, const SwitchKeyBody& key);

// Division by P with rounding, plus `addend` where there is one.
Poly divide_by_special(const Ring& ring, Poly poly, const Poly* addend);

}  // namespace ward::he::internal
