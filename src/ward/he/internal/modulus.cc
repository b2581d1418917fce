#include "ward/he/internal/modulus.h"

#include <bit>
#include <string>

#include "ward/core/error.h"

namespace ward::he::internal {

Modulus::Modulus(uint64_t q) : q_(q), bits_(std::bit_width(q)) {
    if (q <= 2 || q % 2 == 0 || bits_ > kMaxModulusBits) {
        throw Error(ErrorCode::kInvalid,
                    "modulus must be odd, above 2 and below 2^49, got " + std::to_string(q));
    }
    inverse52_ = (uint64_t{1} << 52) / q;
    r52_ = factor((uint64_t{1} << 52) % q);
}

Factor Modulus::factor(uint64_t w) const {
    return {w, static_cast<uint64_t>((static_cast<Uint128>(w) << 52) / q_)};
}

uint64_t Modulus::power_vartime(uint64_t base, uint64_t exponent) const {
    uint64_t result = reduce64(1);
    for (uint64_t b = base; exponent != 0; exponent >>= 1, b = multiply(b, b)) {
        if (exponent & 1) result = multiply(result, b);
    }
    return result;
}

uint64_t Modulus::invert(uint64_t a) const {
    if (a == 0) throw Error(ErrorCode::kInternal, "zero has no inverse modulo a prime");
    return power_vartime(a, q_ - 2);
}

namespace {

uint64_t multiply_mod(uint64_t a, uint64_t b, uint64_t n) {
    return static_cast<uint64_t>(static_cast<Uint128>(a) * b % n);
}

bool passes_miller_rabin(uint64_t n, uint64_t base) {
    const int twos = std::countr_zero(n - 1);
    uint64_t x = 1;
    for (uint64_t e = (n - 1) >> twos, b = base % n; e != 0; e >>= 1, b = multiply_mod(b, b, n)) {
        if (e & 1) x = multiply_mod(x, b, n);
    }
    if (x == 1 || x == n - 1) return true;
    for (int i = 1; i < twos; ++i) {
        x = multiply_mod(x, x, n);
        if (x == n - 1) return true;
    }
    return false;
}

}  // namespace

bool is_prime_vartime(uint64_t n) {
    constexpr uint64_t kBases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};  // enough to 2^64
    if (n < 2) return false;
    for (uint64_t base : kBases) {
        if (n % base == 0) return n == base;
    }
    for (uint64_t base : kBases) {
        if (!passes_miller_rabin(n, base)) return false;
    }
    return true;
}

}  // namespace ward::he::internal
