// Example 3: exact integers. Two hospitals' counts are multiplied and added under encryption, and
// the noise budget is watched.
#include <cstdio>
#include <vector>

#include "ward/he/bfv.h"

using namespace ward::he;

int main() {
    const ContextPtr context = Context::create(bfv_parameters({.depth = 1, .plaintext_bits = 20}));
    ward::Random random = ward::Random::from_system();
    const SecretKey secret = SecretKey::generate(context, random);
    const PublicKey key = PublicKey::generate(secret, random);
    const RelinKey relin = RelinKey::generate(secret, random);

    std::vector<int64_t> beds(context->slots()), days(context->slots());
    for (size_t i = 0; i < beds.size(); ++i) {
        beds[i] = static_cast<int64_t>(i % 300);
        days[i] = static_cast<int64_t>(i % 31) - 15;
    }
    const BfvEncoder encoder(context);
    const BfvEvaluator evaluator(context);
    const Ciphertext x = encrypt(key, encoder.encode(beds), random);
    const Ciphertext y = encrypt(key, encoder.encode(days), random);
    std::printf("fresh:   at least %.0f bits of noise budget, measured %.0f\n",
                x.noise_budget_bound(), noise_budget(secret, x));

    const Ciphertext z = evaluator.add(evaluator.multiply(x, y, relin), x);
    std::printf("product: at least %.0f bits, measured %.0f\n", z.noise_budget_bound(),
                noise_budget(secret, z));

    // The bound proves the result right, so it may be given away.
    const auto got = encoder.decode(decrypt_for_release(secret, z, random));
    for (size_t i = 0; i < beds.size(); ++i) {
        if (got[i] != beds[i] * days[i] + beds[i]) return 1;
    }
    std::printf("all %zu results are exact\n", got.size());
    return 0;
}
