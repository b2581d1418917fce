// CKKS: approximate arithmetic on vectors of real or complex numbers (Cheon, Kim, Kim and Song,
// ia.cr/2016/421; the variant over many primes of ia.cr/2018/931).
//
//     auto context = Context::create(ckks_parameters({.depth = 2}));
//     Random random = Random::from_system();
//     SecretKey secret = SecretKey::generate(context, random);
//     PublicKey key = PublicKey::generate(secret, random);
//     RelinKey relin = RelinKey::generate(secret, random);
//     CkksEncoder encoder(context);
//     CkksEvaluator evaluator(context);
//     Ciphertext x = encrypt(key, encoder.encode(values, {.bound = 1.0}), random);
//     Ciphertext y = evaluator.rescale(evaluator.multiply(x, x, relin));
//     std::vector<double> squares = encoder.decode(decrypt_for_owner(secret, y));
//
// Every ciphertext carries its scale, its level, a bound of its values and a bound of its error,
// all from public facts. Operations throw Error kInvalid (a mismatch) or kRefused (no level left,
// or values could wrap around) before a result would be wrong; decryption throws kCorrupt when the
// result cannot be what the bounds say, as with a wrong key.
//
// Thread safety: encoder and evaluator are immutable.
#pragma once

#include <complex>
#include <memory>
#include <span>
#include <vector>

#include "ward/he/ciphertext.h"
#include "ward/he/encrypt.h"
#include "ward/he/keys.h"

namespace ward::he {

struct EncodeOptions {
    // No value is larger. Encoding what will be encrypted needs it: the bound travels with the
    // ciphertext, so it must not come from the values. 0: the largest value, for public operands.
    double bound = 0;
    double scale = 0;  // 0: that of the parameters
    int level = -1;    // -1: the highest
    // Period of the slots, a power of two: fewer slots are encoded faster and repeat. 0: all.
    int slots = 0;
};

class CkksEncoder {
  public:
    explicit CkksEncoder(ContextPtr context);
    CkksEncoder(CkksEncoder&&) noexcept;
    CkksEncoder& operator=(CkksEncoder&&) noexcept;
    ~CkksEncoder();

    // Up to `slots` values; the others are 0. Throws Error kInvalid for a value that is not finite
    // or above the bound, too many values, or options out of range.
    Plaintext encode(std::span<const double> values, const EncodeOptions& options = {}) const;
    Plaintext encode(std::span<const std::complex<double>> values,
                     const EncodeOptions& options = {}) const;

    // All slots of one period. Throws Error kCorrupt when the message cannot be what its bounds
    // say.
    std::vector<double> decode(const Plaintext& plaintext) const;
    std::vector<std::complex<double>> decode_complex(const Plaintext& plaintext) const;

  private:
    struct State;
    ContextPtr context_;
    std::unique_ptr<const State> state_;
};

class CkksEvaluator {
  public:
    explicit CkksEvaluator(ContextPtr context);

    // Operands of different levels are brought to the lower one, which changes no value. Scales
    // must agree to 2^-20; what they differ is counted as error.
    Ciphertext add(const Ciphertext& a, const Ciphertext& b) const;
    Ciphertext add(const Ciphertext& a, const Plaintext& b) const;
    Ciphertext subtract(const Ciphertext& a, const Ciphertext& b) const;
    Ciphertext subtract(const Ciphertext& a, const Plaintext& b) const;
    Ciphertext negate(const Ciphertext& a) const;
    Ciphertext add(const Ciphertext& a, double constant) const;

    // The scale of a product is the product of the scales: rescale it.
    Ciphertext multiply(const Ciphertext& a, const Ciphertext& b) const;  // of size 3
    Ciphertext multiply(const Ciphertext& a, const Ciphertext& b, const RelinKey& key) const;
    Ciphertext multiply(const Ciphertext& a, const Plaintext& b) const;
    // By a constant; its scale is `scale`, 0: the prime that the next rescaling drops.
    Ciphertext multiply(const Ciphertext& a, double constant, double scale = 0) const;
    Ciphertext relinearise(const Ciphertext& a, const RelinKey& key) const;

    // Divides by the last prime: one level less, the scale divided by that prime.
    Ciphertext rescale(const Ciphertext& a) const;
    // Fewer primes, the same values and scale.
    Ciphertext drop_to_level(const Ciphertext& a, int level) const;
    // The same values at a lower level and a given scale (0: that of the parameters); takes the
    // product with a constant.
    Ciphertext adjust(const Ciphertext& a, int level, double scale = 0) const;
    // The prime that a rescaling at this level divides by: a plaintext factor encoded at this scale
    // leaves the scale of the rescaled product as it was.
    double rescale_prime(int level) const;

    // Slot i of the result is slot i + steps.
    Ciphertext rotate(const Ciphertext& a, int steps, const GaloisKeys& keys) const;
    // Several rotations of one ciphertext, which share the costly half of the work.
    std::vector<Ciphertext> rotate_hoisted(const Ciphertext& a, std::span<const int> steps,
                                           const GaloisKeys& keys) const;
    Ciphertext conjugate(const Ciphertext& a, const GaloisKeys& keys) const;
    // Every slot i becomes the sum of slots i .. i + count - 1; count is a power of two. Needs the
    // rotations by 1, 2, ..., count / 2.
    Ciphertext sum_slots(const Ciphertext& a, int count, const GaloisKeys& keys) const;

  private:
    ContextPtr context_;
};

}  // namespace ward::he
