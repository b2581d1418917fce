// Operations on ciphertexts that do not depend on what they encrypt.
#pragma once

#include <memory>

#include "ward/he/internal/bodies.h"

namespace ward::he::internal {

// A copy without the polynomials, to fill.
std::shared_ptr<CiphertextBody> with_parts(const CiphertextBody& like, std::vector<Poly> parts);

// The same ciphertext where the caller knows better bounds than the operations do.
Ciphertext with_bounds(const Ciphertext& c, double value, double error);
// No slot is larger.
Ciphertext with_value_bound(const Ciphertext& c, double bound);

// The first rows of a polynomial.
Poly first_rows(const Poly& poly, size_t limbs);
std::vector<Poly> first_rows(const std::vector<Poly>& parts, size_t limbs);

std::vector<Poly> add_parts(const Ring& ring, const std::vector<Poly>& a,
                            const std::vector<Poly>& b, bool subtract);
std::vector<Poly> negate_parts(const Ring& ring, const std::vector<Poly>& a);
// (a0 b0, a0 b1 + a1 b0, a1 b1), for transformed polynomials whose row i is modulo prime i.
std::vector<Poly> tensor(const Ring& ring, const std::vector<Poly>& a, const std::vector<Poly>& b);
Poly multiply_rows(const Ring& ring, const Poly& a, const Poly& b);

// Three parts to two. Checks the key; the bound of the error counts the key switch.
std::shared_ptr<CiphertextBody> relinearised(const CiphertextBody& a, const RelinKey& key);
// The automorphism X -> X^element; `digits` are those of the second part, for hoisting, or null.
// Checks as above, throws Error kNotFound when there is no such key.
std::shared_ptr<CiphertextBody> rotated(const CiphertextBody& a, uint64_t element,
                                        const GaloisKeys& keys,
                                        const std::vector<Poly>* digits = nullptr);

// Throws Error kInvalid: a ciphertext of another size than 2, or above the level of the key.
void check_relinearised(const CiphertextBody& a);
void check_key_level(const CiphertextBody& a, const SwitchKeyBody& key);
// Error that a key switch adds to a phase.
double key_switch_error(const Ring& ring, size_t limbs);
// The same as CiphertextBody::error_bound counts it: of slots (CKKS), or invariant (BFV).
double key_switch_error(const CiphertextBody& a);

}  // namespace ward::he::internal
