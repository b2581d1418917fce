// BFV: exact arithmetic on vectors of integers modulo a prime t (Brakerski, ia.cr/2012/078; Fan and
// Vercauteren, ia.cr/2012/144; products over many primes after Halevi, Polyakov and Shoup,
// ia.cr/2018/117).
//
//     auto context = Context::create(bfv_parameters({.depth = 2}));
//     ...keys as for CKKS (ckks.h)...
//     BfvEncoder encoder(context);
//     BfvEvaluator evaluator(context);
//     Ciphertext x = encrypt(key, encoder.encode(values), random);
//     Ciphertext y = evaluator.multiply(x, x, relin);
//     std::vector<int64_t> squares = encoder.decode(decrypt_for_owner(secret, y));
//
// A message is N integers in two rows of N/2. Every ciphertext carries a bound of its noise
// (Ciphertext::noise_budget_bound); operations throw Error kRefused when the bound no longer proves
// that decryption is right. The bound is for the worst case of messages; noise_budget (encrypt.h)
// measures the rest with the key.
//
// Thread safety: encoder and evaluator are immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ward/he/ciphertext.h"
#include "ward/he/encrypt.h"
#include "ward/he/keys.h"

namespace ward::he {

class BfvEncoder {
  public:
    explicit BfvEncoder(ContextPtr context);

    // Up to N integers in [-t/2, t/2], row after row; the others are 0. Throws Error kInvalid for
    // numbers out of range.
    Plaintext encode(std::span<const int64_t> values) const;
    // In [-t/2, t/2].
    std::vector<int64_t> decode(const Plaintext& plaintext) const;

  private:
    ContextPtr context_;
    std::vector<uint32_t> places_;  // of each slot in the order of the transform
};

class BfvEvaluator {
  public:
    explicit BfvEvaluator(ContextPtr context);

    // Operands of different levels are brought to the lower one.
    Ciphertext add(const Ciphertext& a, const Ciphertext& b) const;
    Ciphertext add(const Ciphertext& a, const Plaintext& b) const;
    Ciphertext subtract(const Ciphertext& a, const Ciphertext& b) const;
    Ciphertext subtract(const Ciphertext& a, const Plaintext& b) const;
    Ciphertext negate(const Ciphertext& a) const;

    Ciphertext multiply(const Ciphertext& a, const Ciphertext& b) const;  // of size 3
    Ciphertext multiply(const Ciphertext& a, const Ciphertext& b, const RelinKey& key) const;
    Ciphertext multiply(const Ciphertext& a, const Plaintext& b) const;
    Ciphertext relinearise(const Ciphertext& a, const RelinKey& key) const;

    // Both rows: column i of the result is column i + steps.
    Ciphertext rotate_rows(const Ciphertext& a, int steps, const GaloisKeys& keys) const;
    // Exchanges the rows.
    Ciphertext rotate_columns(const Ciphertext& a, const GaloisKeys& keys) const;

    // Divides modulus and noise by the last primes: smaller and faster from here on.
    Ciphertext switch_to_level(const Ciphertext& a, int level) const;

  private:
    ContextPtr context_;
};

}  // namespace ward::he
