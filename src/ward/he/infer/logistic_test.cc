#include "ward/he/infer/logistic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;

struct Rows {
    std::vector<double> values;
    std::vector<int> labels;
};

// Labels by the sign of a noisy sum of the features.
Rows some_rows(int rows, int features, Random& random) {
    Rows out;
    for (int i = 0; i < rows; ++i) {
        double score = 0.3;
        for (int j = 0; j < features; ++j) {
            out.values.push_back(4 * random.uniform01() - 2);
            score += (j % 2 == 0 ? 1 : -0.5) * out.values.back();
        }
        out.labels.push_back(score + random.uniform01() - 0.5 > 0);
    }
    return out;
}

double correct(const Rows& rows, const std::vector<double>& weights) {
    const size_t features = weights.size() - 1;
    int count = 0;
    for (size_t i = 0; i < rows.labels.size(); ++i) {
        double score = weights.back();
        for (size_t j = 0; j < features; ++j) score += weights[j] * rows.values[i * features + j];
        count += (score > 0) == (rows.labels[i] == 1);
    }
    return static_cast<double>(count) / static_cast<double>(rows.labels.size());
}

TEST(Logistic, TrainsOnEncryptedRowsAsInTheClear) {
    Random random = seeded_random(1);
    const Rows rows = some_rows(100, 3, random);
    const LogisticPlan plan = plan_logistic({.rows = 100, .features = 3, .epochs = 2});
    const auto context = Context::create(plan.parameters);
    const SecretKey secret = SecretKey::generate(context, random);
    const EvaluationKeys keys = make_evaluation_keys(secret, plan.rotations, random);
    const Ciphertext z = encrypt_rows(plan, rows.values, rows.labels, secret, random);
    const Ciphertext trained = train_logistic(plan, z, keys);
    EXPECT_EQ(trained.level(), 0);
    const auto slots = CkksEncoder(context).decode(decrypt_for_owner(secret, trained));
    const auto expected = train_logistic_twin(plan, rows.values, rows.labels);
    ASSERT_EQ(expected.size(), 4u);
    for (size_t s = 0; s < slots.size(); ++s) {  // repeated in every row, nothing beside them
        const size_t j = s % static_cast<size_t>(plan.width);
        ASSERT_NEAR(slots[s], j < expected.size() ? expected[j] : 0.0, 1e-4);
    }
    EXPECT_LT(trained.error_bound(), 0.1);
    EXPECT_GT(correct(rows, expected), 0.85);
}

TEST(Logistic, ThePolynomialIsNearTheSigmoid) {
    const LogisticPlan plan = plan_logistic({.rows = 10, .features = 3});
    EXPECT_EQ(plan.width, 4);
    for (double m = -8; m <= 8; m += 0.25) {
        const double p = 0.5 + plan.linear * m + plan.cubic * m * m * m;
        EXPECT_NEAR(p, 1 / (1 + std::exp(m)), 0.13);
    }
}

TEST(Logistic, RefusesWhatDoesNotFit) {
    EXPECT_THAT(any_message_of([] { plan_logistic({.rows = 0, .features = 3}); }),
                HasSubstr("1..32768 rows"));
    EXPECT_THAT(
        any_message_of([] { plan_logistic({.rows = 10, .features = 3, .learning_rate = -1}); }),
        HasSubstr("finite and > 0"));
    EXPECT_THAT(any_message_of([] { plan_logistic({.rows = 30000, .features = 30}); }),
                HasSubstr("at most 32768"));
    const LogisticPlan plan = plan_logistic({.rows = 2, .features = 1, .epochs = 1});
    const std::vector<int> labels{0, 2}, one{0};
    EXPECT_THAT(any_message_of([&] {
                    train_logistic_twin(plan, std::vector<double>{1, 2}, labels);
                }),
                HasSubstr("0 or 1, got 2"));
    EXPECT_THAT(any_message_of([&] {
                    train_logistic_twin(plan, std::vector<double>{1, 2}, one);
                }),
                HasSubstr("got 2 numbers and 1 labels"));
}

}  // namespace
}  // namespace ward::he
