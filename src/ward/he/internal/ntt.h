// Tables of the negacyclic number-theoretic transform modulo X^N + 1.
//
// Forward: coefficients a_0..a_{N-1} to the values a(psi^(2 brv(k) + 1)), k = 0..N-1, where psi is
// the least primitive 2N-th root of unity and brv reverses log2 N bits; inverse: back. (Longa and
// Naehrig, ia.cr/2016/504.) The transforms themselves are in kernels.h. Immutable after
// construction, so shared between threads.
#pragma once

#include <cstdint>
#include <vector>

#include "ward/he/internal/buffer.h"
#include "ward/he/internal/modulus.h"

namespace ward::he::internal {

inline constexpr int kMinLogDegree = 5;  // the kernels work on up to 32 words at a time
inline constexpr int kMaxLogDegree = 17;

class NttTable {
  public:
    // Throws Error kInvalid unless q = 1 mod 2N is prime.
    NttTable(int log_degree, uint64_t q);

    const Modulus& modulus() const { return modulus_; }
    int log_degree() const { return log_degree_; }
    size_t degree() const { return size_t{1} << log_degree_; }

    // psi^brv(i) and its Shoup quotient; index 0 is not used by the transform.
    const uint64_t* roots() const { return words_.data(); }
    const uint64_t* root_quotients() const { return words_.data() + degree(); }
    const uint64_t* inverse_roots() const { return words_.data() + 2 * degree(); }
    const uint64_t* inverse_root_quotients() const { return words_.data() + 3 * degree(); }
    Factor inverse_degree() const { return inverse_degree_; }
    // inverse_roots()[1] / N: the last level of the inverse divides by N on the way.
    Factor last_inverse_root() const { return last_inverse_root_; }

  private:
    int log_degree_;
    Modulus modulus_;
    Buffer words_;
    Factor inverse_degree_;
    Factor last_inverse_root_;
};

// The largest `count` primes = 1 mod 2N of exactly `bits` bits that are not in `taken`, in falling
// order. Throws Error kInvalid when there are not so many.
std::vector<uint64_t> ntt_primes(int log_degree, int bits, int count,
                                 const std::vector<uint64_t>& taken = {});

// The `count` primes = 1 mod 2N nearest to 2^log2_center that are not in `taken`.
std::vector<uint64_t> ntt_primes_near(int log_degree, int log2_center, int count,
                                      const std::vector<uint64_t>& taken = {});

// Reverses the low `bits` bits.
inline uint64_t reverse_bits(uint64_t x, int bits) {
    uint64_t result = 0;
    for (int i = 0; i < bits; ++i) result |= ((x >> i) & 1) << (bits - 1 - i);
    return result;
}

}  // namespace ward::he::internal
