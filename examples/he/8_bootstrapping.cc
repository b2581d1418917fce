// Example 8: a computation deeper than the parameters: the power of a number by repeated products,
// where the ciphertext is refreshed when its levels are gone. The ring is tiny here, so that it
// takes a moment and no memory: IT HIDES NOTHING. Leave log_degree out (65536) for real use.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "ward/he/bootstrap.h"

using namespace ward::he;

int main() {
    ward::Random random = ward::Random::from_system();
    const BootstrapPlan plan = plan_bootstrap({.levels = 4, .log_slots = 6, .log_degree = 10});
    const auto context = Context::create_insecure(plan.parameters);
    const SecretKey secret = SecretKey::generate(context, random);
    const RelinKey relin = RelinKey::generate(secret, random, plan.levels);
    const BootstrapKeys keys = BootstrapKeys::generate(secret, plan, random);
    const Bootstrapper bootstrapper(context, plan);
    const CkksEncoder encoder(context);
    const CkksEvaluator evaluator(context);

    std::vector<double> factors(64);
    for (double& v : factors) v = 0.9 + 0.1 * random.uniform01();
    std::vector<double> expected = factors;
    const Ciphertext factor = evaluator.drop_to_level(
        encrypt(secret, encoder.encode(factors, {.bound = 1.0, .slots = 64}), random), plan.levels);
    Ciphertext x = factor;
    for (int product = 1; product <= 12; ++product) {
        if (x.level() == 0) {
            x = bootstrapper.refresh(x, keys);
            std::printf("product %2d: refreshed, %d levels\n", product, x.level());
        }
        x = evaluator.rescale(
            evaluator.multiply(x, evaluator.drop_to_level(factor, x.level()), relin));
        for (size_t i = 0; i < expected.size(); ++i) expected[i] *= factors[i];
    }
    const auto got = encoder.decode(decrypt_for_owner(secret, x));
    double largest = 0;
    for (size_t i = 0; i < got.size(); ++i) {
        largest = std::max(largest, std::abs(got[i] - expected[i]));
    }
    std::printf("12 products with 4 levels, error at most %.2g\n", largest);
    return largest < 1e-3 ? 0 : 1;
}
