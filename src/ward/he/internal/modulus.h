// Arithmetic modulo one prime below 2^49.
//
// The bound comes from the 52-bit multiplier of AVX-512 IFMA: values may grow to 8q without leaving
// 52 bits, so the transforms of ntt.h reduce rarely (Harvey, "Faster arithmetic for
// number-theoretic transforms", 2014). Constant time for one modulus: no branch and no index
// depends on an operand. Thread safety: value types.
#pragma once

#include <cstdint>

namespace ward::he::internal {

__extension__ using Uint128 = unsigned __int128;

inline constexpr int kMaxModulusBits = 49;
inline constexpr uint64_t kMask52 = (uint64_t{1} << 52) - 1;

// x - m where x >= m, else x; without a branch.
inline uint64_t subtract_if_not_below(uint64_t x, uint64_t m) {
    const uint64_t difference = x - m;
    return difference + (m & (uint64_t{0} - (difference >> 63)));
}

// A constant factor w with floor(w 2^52 / q) (Shoup).
struct Factor {
    uint64_t value = 0;
    uint64_t quotient = 0;
};

class Modulus {
  public:
    Modulus() = default;
    // Throws Error kInvalid unless 2 < q < 2^49 and q is odd. Primality is the caller's business.
    explicit Modulus(uint64_t q);

    uint64_t value() const { return q_; }
    int bits() const { return bits_; }

    // Constants of reduce_wide: 2^52 mod q as a factor, floor(2^52 / q).
    Factor r52() const { return r52_; }
    uint64_t inverse52() const { return inverse52_; }

    // hi 2^52 + lo mod q, for hi, lo < 2^52.
    uint64_t reduce_wide(uint64_t lo, uint64_t hi) const {
        const auto high_product = static_cast<Uint128>(hi) * r52_.quotient;
        const auto low_product = static_cast<Uint128>(lo) * inverse52_;
        const uint64_t quotient =
            static_cast<uint64_t>(high_product >> 52) + static_cast<uint64_t>(low_product >> 52);
        const uint64_t rest = (lo + hi * r52_.value - quotient * q_) & kMask52;  // < 4q
        return subtract_if_not_below(subtract_if_not_below(rest, 2 * q_), q_);
    }

    // x mod q for x < 2^52.
    uint64_t reduce(uint64_t x) const {
        const auto product = static_cast<Uint128>(x) * inverse52_;
        return subtract_if_not_below(x - static_cast<uint64_t>(product >> 52) * q_, q_);
    }

    // x mod q for any 64-bit x.
    uint64_t reduce64(uint64_t x) const { return reduce_wide(x & kMask52, x >> 52); }

    // The residue of a signed number of magnitude below 2^63.
    uint64_t reduce_signed(int64_t x) const {
        const uint64_t sign = static_cast<uint64_t>(x >> 63);
        const uint64_t magnitude = reduce64((static_cast<uint64_t>(x) ^ sign) - sign);
        return subtract_if_not_below((magnitude ^ sign) - sign + (q_ & sign), q_);
    }

    // Operands below q.
    uint64_t add(uint64_t a, uint64_t b) const { return subtract_if_not_below(a + b, q_); }
    uint64_t subtract(uint64_t a, uint64_t b) const {
        return subtract_if_not_below(a + q_ - b, q_);
    }
    uint64_t negate(uint64_t a) const { return subtract_if_not_below(q_ - a, q_); }
    uint64_t multiply(uint64_t a, uint64_t b) const {
        const auto product = static_cast<Uint128>(a) * b;
        return reduce_wide(static_cast<uint64_t>(product) & kMask52,
                           static_cast<uint64_t>(product >> 52));
    }

    // For w < q.
    Factor factor(uint64_t w) const;

    // y w mod q up to one q too many, for any y < 2^52.
    uint64_t multiply_lazy(uint64_t y, Factor w) const {
        const uint64_t quotient =
            static_cast<uint64_t>((static_cast<Uint128>(y) * w.quotient) >> 52);
        return y * w.value - quotient * q_;
    }
    uint64_t multiply(uint64_t y, Factor w) const {
        return subtract_if_not_below(multiply_lazy(y, w), q_);
    }

    uint64_t power_vartime(uint64_t base, uint64_t exponent) const;
    // Throws Error kInternal when a is 0: q is prime.
    uint64_t invert(uint64_t a) const;

    bool operator==(const Modulus& other) const { return q_ == other.q_; }

  private:
    uint64_t q_ = 0;
    int bits_ = 0;
    Factor r52_;
    uint64_t inverse52_ = 0;
};

bool is_prime_vartime(uint64_t n);  // deterministic Miller-Rabin for n < 2^64

}  // namespace ward::he::internal
