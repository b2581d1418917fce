// Example 7: three hospitals share a key. Anyone can add up encrypted counts, and only all three
// together can open the sum.
#include <cmath>
#include <cstdio>
#include <vector>

#include "ward/he/ckks.h"
#include "ward/he/threshold.h"

using namespace ward::he;

int main() {
    ward::Random random = ward::Random::from_system();
    const auto context =
        Context::create(ckks_parameters({.depth = 1, .scale_bits = 43, .integer_bits = 20}));
    std::vector<KeyShare> shares;
    PublicKey key = [&] {
        const SecretKey secret = SecretKey::generate(context, random);
        shares = split_secret_key(secret, 3, random);
        return PublicKey::generate(secret, random);
    }();  // the whole key is gone

    const CkksEncoder encoder(context);
    const CkksEvaluator evaluator(context);
    const auto encrypted = [&](double count) {
        const std::vector<double> values{count};
        return encrypt(key, encoder.encode(values, {.bound = 100'000, .slots = 1}), random);
    };
    const Ciphertext sum =
        evaluator.add(evaluator.add(encrypted(1200), encrypted(345)), encrypted(67));

    std::vector<PartialDecryption> parts;
    for (const KeyShare& share : shares) {
        parts.push_back(partial_decrypt(share, sum, random, {.bits = 8}));
    }
    const Plaintext opened = combine(sum, parts);
    const double result = encoder.decode(opened)[0];
    std::printf("sum %.3f, off by at most %.3f\n", result, opened.error_bound());
    return std::abs(result - 1612) <= opened.error_bound() && std::abs(result - 1612) < 1 ? 0 : 1;
}
