// Encryption and decryption, for both schemes.
//
// A decryption of CKKS shows its error, and the error can show the secret key (Li and Micciancio,
// ia.cr/2020/1533). So there are two: one for the owner of the key, whose result must not leave the
// owner, and one that floods the error first. Thread safety: the generator is the caller's.
#pragma once

#include "ward/core/random.h"
#include "ward/he/ciphertext.h"
#include "ward/he/keys.h"

namespace ward::he {

// Throws Error kInvalid when the contexts differ, or for a CKKS message without a declared bound.
Ciphertext encrypt(const PublicKey& key, const Plaintext& message, Random& random);

// Half as large on the wire: the uniform half is sent as a seed.
Ciphertext encrypt(const SecretKey& key, const Plaintext& message, Random& random);

// For the owner of the key alone. Throws Error kCorrupt when the result cannot be right: the noise
// has grown too large (BFV), or the message is out of its bounds (CKKS), as under a wrong key.
Plaintext decrypt_for_owner(const SecretKey& key, const Ciphertext& ciphertext);

struct FloodingOptions {
    // The noise is 2^bits times the bound of the error: an adversary that sees q decryptions is
    // better than one that sees exact results by about sqrt(q) 2^-bits (Li, Micciancio, Schultz and
    // Sorrell, ia.cr/2022/816).
    int bits = 20;
};

// For results that others will see. CKKS: adds discrete Gaussian noise that covers the error; the
// bound of the error of the result counts it. Throws Error kRefused when no room is left for it.
// BFV: decrypts exactly, and refuses (kRefused) when the bound of the noise does not prove the
// result right, since a wrong one would depend on the key.
Plaintext decrypt_for_release(const SecretKey& key, const Ciphertext& ciphertext, Random& random,
                              const FloodingOptions& options = {});

// BFV: log2 of how much the noise may still grow, measured with the key; 0 when the message is
// lost.
double noise_budget(const SecretKey& key, const Ciphertext& ciphertext);

}  // namespace ward::he
