// The values that computations pass around: encoded messages and encrypted ones.
//
// Both are immutable handles: a copy is cheap and shares memory, every operation gives a new value.
// They know their context, level, scale and a bound of their error, and an operation that would
// give a wrong result throws instead. Thread safety: as const objects.
#pragma once

#include <memory>

#include "ward/he/context.h"

namespace ward::he {

namespace internal {
struct PlaintextBody;
struct CiphertextBody;
}  // namespace internal

// A message as a polynomial. Not secret by itself: it is not wiped.
class Plaintext {
  public:
    explicit Plaintext(std::shared_ptr<const internal::PlaintextBody> body);

    const ContextPtr& context() const;
    // CKKS; a decrypted message keeps only the primes that its size needs. 0 for BFV.
    int level() const;
    double scale() const;  // CKKS
    // CKKS: no value is larger in absolute value; no value is off by more.
    double value_bound() const;
    double error_bound() const;

    const internal::PlaintextBody& body() const { return *body_; }

  private:
    std::shared_ptr<const internal::PlaintextBody> body_;
};

class Ciphertext {
  public:
    explicit Ciphertext(std::shared_ptr<const internal::CiphertextBody> body);

    const ContextPtr& context() const;
    int level() const;     // primes that can still be dropped
    int size() const;      // 2, or 3 before relinearisation
    double scale() const;  // CKKS
    // CKKS: bounds of every slot. They follow from what was declared at encoding and from the
    // operations, never from the values, so they tell nothing about them.
    double value_bound() const;
    double error_bound() const;
    // CKKS: -log2 of the error bound.
    double precision_bits() const;
    // BFV: log2 of how much the noise may still grow by its bound; decryption is right while > 0.
    double noise_budget_bound() const;

    const internal::CiphertextBody& body() const { return *body_; }

  private:
    std::shared_ptr<const internal::CiphertextBody> body_;
};

}  // namespace ward::he
