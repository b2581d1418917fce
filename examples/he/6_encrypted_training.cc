// Example 6: a logistic regression is trained on encrypted rows. The evaluator never sees rows,
// labels or weights.
#include <cmath>
#include <cstdio>
#include <vector>

#include "ward/he/infer/logistic.h"

using namespace ward::he;

int main() {
    ward::Random random = ward::Random::from_system();
    const int rows = 200, features = 3;
    std::vector<double> values;
    std::vector<int> labels;
    for (int i = 0; i < rows; ++i) {
        double score = 0.2;
        for (int j = 0; j < features; ++j) {
            values.push_back(4 * random.uniform01() - 2);
            score += (j + 1) * values.back();
        }
        labels.push_back(score > 0);
    }

    const LogisticPlan plan = plan_logistic({.rows = rows, .features = features, .epochs = 3});
    const auto context = Context::create(plan.parameters);
    const SecretKey secret = SecretKey::generate(context, random);
    const EvaluationKeys keys = make_evaluation_keys(secret, plan.rotations, random);
    const Ciphertext encrypted = encrypt_rows(plan, values, labels, secret, random);

    const Ciphertext trained = train_logistic(plan, encrypted, keys);

    const auto weights = CkksEncoder(context).decode(decrypt_for_owner(secret, trained));
    const auto expected = train_logistic_twin(plan, values, labels);
    for (size_t j = 0; j < expected.size(); ++j) {
        std::printf("weight %zu: %.6f, in the clear %.6f\n", j, weights[j], expected[j]);
        if (std::abs(weights[j] - expected[j]) > 1e-3) return 1;
    }
    return 0;
}
