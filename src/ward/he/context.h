// The tables that belong to one set of parameters; every key, plaintext and ciphertext refers to
// one.
//
// Immutable, so shared between threads. Two contexts of equal parameters are interchangeable.
#pragma once

#include <memory>
#include <string>

#include "ward/he/params.h"

namespace ward::he {

namespace internal {
class Ring;
}

class Context {
  public:
    // Throws Error kInvalid when primes, degree, digits or plaintext modulus do not fit together,
    // and kRefused when the primes are too large for the security level.
    static std::shared_ptr<const Context> create(const Parameters& parameters);

    // Without the check of security: for tests, on data that may become public.
    static std::shared_ptr<const Context> create_insecure(const Parameters& parameters);

    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    const Parameters& parameters() const { return parameters_; }
    size_t degree() const { return size_t{1} << parameters_.log_degree; }
    // Values in one ciphertext: N/2 complex or real numbers (CKKS), N integers (BFV).
    size_t slots() const;
    // Level of a fresh ciphertext: how many primes can be dropped.
    int max_level() const;

    // 32 hexadecimal digits that stand for the parameters.
    const std::string& id() const { return id_; }

    const internal::Ring& ring() const { return *ring_; }

  private:
    explicit Context(const Parameters& parameters);

    Parameters parameters_;
    std::string id_;
    std::unique_ptr<const internal::Ring> ring_;
};

using ContextPtr = std::shared_ptr<const Context>;

}  // namespace ward::he
