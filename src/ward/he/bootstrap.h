// Bootstrapping of CKKS: a ciphertext without levels becomes one with levels, under the same key
// and with the same values, so that computations may be of any depth (Cheon, Han, Kim, Kim and
// Song, ia.cr/2018/153).
//
//   BootstrapPlan plan = plan_bootstrap({.levels = 5, .log_slots = 12});
//   auto context = Context::create(plan.parameters);
//   BootstrapKeys keys = BootstrapKeys::generate(secret, plan, random);
//   Bootstrapper bootstrapper(context, plan);
//   Ciphertext fresh = bootstrapper.refresh(tired, keys);  // level 5 again
//
// How: the ciphertext is switched to a sparse secret (ia.cr/2022/024), its residues modulo the
// first prime q are taken for those modulo all primes, which adds multiples I q of q to the
// message, and it is switched back. Linear transforms by factors of the Fourier transform bring the
// coefficients into the slots, a Chebyshev series of the cosine with doublings of the angle
// (ia.cr/2019/688) takes them modulo q, and transforms bring them back.
//
// Threat: the keys are public and hide both secrets; the sparse one of weight 64 is a target modulo
// two primes only. What is assumed: |I| < 24, which fails with probability below 2^-60 for a
// ciphertext; errors of different slots are independent. The bound of the error that the result
// carries follows from that. Thread safety: immutable.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "ward/he/ckks.h"

namespace ward::he {

struct BootstrapRequest {
    int levels = 5;       // of the result
    int log_slots = 14;   // of ciphertexts that will be refreshed
    int scale_bits = 44;  // of these ciphertexts; each bit more is one of precision
    int log_degree = 16;
    SecurityLevel security = SecurityLevel::k128;
};

struct BootstrapPlan {
    Parameters parameters;
    int levels = 0, log_slots = 0;
    int to_slots = 3, to_coefficients = 3;  // transforms each way
};

// Throws Error kInvalid for numbers out of range, kUnsupported when the primes are too many for the
// ring at this security.
BootstrapPlan plan_bootstrap(const BootstrapRequest& request);

namespace internal {
struct BootstrapKeysBody;
struct BootstrapState;
}  // namespace internal

class BootstrapKeys {
  public:
    static BootstrapKeys generate(const SecretKey& secret, const BootstrapPlan& plan,
                                  Random& random);
    explicit BootstrapKeys(std::shared_ptr<const internal::BootstrapKeysBody> body);

    size_t size_bytes() const;  // in memory
    const internal::BootstrapKeysBody& body() const { return *body_; }

  private:
    std::shared_ptr<const internal::BootstrapKeysBody> body_;
};

class Bootstrapper {
  public:
    // Throws Error kInvalid when the context is not that of the plan.
    Bootstrapper(ContextPtr context, const BootstrapPlan& plan);
    ~Bootstrapper();

    // The same values at the plan's level. Throws Error kInvalid for a ciphertext with more slots
    // or of size 3, kRefused when its values are too large beside the first prime.
    Ciphertext refresh(const Ciphertext& x, const BootstrapKeys& keys) const;

  private:
    std::unique_ptr<const internal::BootstrapState> state_;
};

}  // namespace ward::he
