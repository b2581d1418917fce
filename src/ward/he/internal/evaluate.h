// Operations on ciphertexts that do not depend on what they encrypt.
#pragma once

#include <memory>

#include "ward/he/internal/bodies.h"

namespace ward::he::internal {

// A copy without the polynomials, to fill.
std::shared_ptr<CiphertextBody> with_parts(const CiphertextBody& like, std::vector<Poly> parts);

// The first rows of a polynomial.
Poly first_rows(const Poly& poly, size_t limbs);
std::vector<Poly> first_rows(const std::vector<Poly>& parts, size_t limbs);

std::vector<Poly> add_parts(const Ring& ring, const std::vector<Poly>& a,
                            const std::vector<Poly>& b, bool subtract);
std::vector<Poly> negate_parts(const Ring& ring, const std::vector<Poly>& a);
// (a0 b0, a0 b1 + a1 b0, a1 b1), for transformed polynomials whose row i is modulo prime i.
std::vector<Poly> tensor(const Ring& ring, const std::vector<Poly>& a, const std::vector<Poly>& b);
Poly multiply_rows(const Ring& ring, const Poly& a, const Poly& b);

// Three parts to two.
std::vector<Poly> relinearise_parts(const Ring& ring, const std::vector<Poly>& parts,
                                    const SwitchKeyBody& key);
// Automorphism of two parts, given the digits of the second.
std::vector<Poly> rotate_parts(const Ring& ring, const Poly& c0, const std::vector<Poly>& digits,
                               const GaloisKeyBody& key);

// Throws Error kInvalid: a ciphertext of another size than 2, or above the level of the key.
void check_relinearised(const CiphertextBody& a);
void check_key_level(const CiphertextBody& a, const SwitchKeyBody& key);
// Error that a key switch adds to a phase.
double key_switch_error(const Ring& ring, size_t limbs);

}  // namespace ward::he::internal
