// Bounds of errors, in the canonical norm: the largest absolute value over the 2N-th roots of
// unity, which is what a slot sees (Gentry, Halevi and Smart, ia.cr/2012/099; Costache et al.,
// ia.cr/2019/493).
//
// A random polynomial whose coefficients have variance v takes complex values of variance N v; one
// of them is above kTail sqrt(N v) with probability exp(-kTail^2), so for one polynomial at most N
// exp(-42.2) < 2^-44. Products are bounded by the product of the bounds. Remainders of roundings
// and ciphertexts themselves count as uniform. Thread safety: functions only.
#pragma once

#include <cmath>
#include <cstdint>

namespace ward::he::internal {

inline constexpr double kErrorSigma = 3.2;
inline constexpr double kTail = 6.5;

struct Noise {
    double degree;

    double random(double variance) const { return kTail * std::sqrt(degree * variance); }
    double secret() const { return random(2.0 / 3.0); }  // uniform ternary
    double error() const { return random(kErrorSigma * kErrorSigma); }
    double rounding() const { return random(1.0 / 12.0); }  // of one polynomial

    double fresh_symmetric() const { return error(); }
    double fresh_public() const { return error() * (1 + 2 * secret()); }
    // A ciphertext of `parts` polynomials divided and rounded.
    double rounded_ciphertext(int parts) const {
        double powers = 0;
        for (int i = 0; i < parts; ++i) powers += std::pow(secret(), i);
        return rounding() * powers;
    }
    // `digits` digits of at most `ratio` times the product of the special primes.
    double key_switch(int digits, double ratio) const {
        return digits * ratio * rounding() * error() + rounded_ciphertext(2);
    }
};

// Invariant noise of BFV: t/Q times the phase is message + noise modulo t; decryption is right
// while the noise is below 1/2.
struct BfvNoise {
    Noise noise;
    double plaintext_modulus;

    // For an error of this size beside Q/t times the message.
    double of_error(double error, double log2_modulus) const {
        return error * plaintext_modulus * std::exp2(-log2_modulus);
    }
    double fresh_public(double log2_modulus) const {
        return of_error(noise.fresh_public() + noise.rounding(), log2_modulus);
    }
    double multiplied(double a, double b, double log2_modulus) const {
        const double phase = plaintext_modulus * noise.rounded_ciphertext(2);
        return phase * (a + b) + a * b + of_error(noise.rounded_ciphertext(3), log2_modulus);
    }
};

// log2 of a modulus that leaves `depth` products of fresh ciphertexts, each relinearised,
// decryptable.
double bfv_modulus_bits(int log_degree, uint64_t plaintext_modulus, int depth);

}  // namespace ward::he::internal
