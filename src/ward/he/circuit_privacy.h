// Circuit privacy: a result that tells the owner of the key nothing about the computation but its
// value (Gentry, "A fully homomorphic encryption scheme", 2009, section 4.2; flooding).
//
// The polynomials of a result depend on what was computed: on the weights of a model, for example.
// The evaluator adds a fresh encryption of zero and Gaussian noise that covers the error of the
// result; what is left is a fresh encryption of value + noise.
//
// Threat: the owner of the key looks at the result with the key. Inputs and keys must be honest:
// who sends a public key that is none, or ciphertexts with more noise than a fresh one has, is not
// kept from learning more (Program raises claimed bounds to those of fresh inputs). Thread safety:
// the generator is the caller's.
#pragma once

#include "ward/core/random.h"
#include "ward/he/encrypt.h"

namespace ward::he {

// The noise is 2^options.bits times the bound of the error, which is also what precision it costs;
// results are told apart with an advantage of about 2^-bits each. Value and error bounds are
// rounded up to powers of two, since they follow from the computation as well. Throws Error
// kInvalid for another context or a ciphertext of size 3, kRefused when no room is left for the
// noise.
Ciphertext hide_computation(const PublicKey& key, const Ciphertext& ciphertext, Random& random,
                            const FloodingOptions& options = {});

}  // namespace ward::he
