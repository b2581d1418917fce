#include "ward/he/infer/encrypted_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/testing/small_models.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using testonly::random_example;
using testonly::random_model;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;

const model::Activation kSquare{model::Activation::Function::kSquare};
const model::Activation kSigmoid{model::Activation::Function::kSigmoid};

struct World {
    explicit World(const model::Model& m, const LowerOptions& options = {})
        : random(seeded_random(3)),
          model(m),
          network(lower(m, options)),
          plan(plan_encrypted_weights(network, {.input = {-1, 1}})),
          context(Context::create(plan.parameters)),
          secret(SecretKey::generate(context, random)),
          key(PublicKey::generate(secret, random)),
          program(plan, encrypt_network(network, plan, key, random),
                  weight_evaluation_keys(secret, plan, random)) {}

    // The result is right to within its bound, and nothing but outputs is in the slots.
    void expect(const Ciphertext& y, const std::vector<double>& x, double useful) {
        const auto expected = evaluate(network, x);
        const auto slots = CkksEncoder(context).decode(decrypt_for_owner(secret, y));
        const auto got = outputs_of(plan, slots);
        EXPECT_LT(y.error_bound(), useful);
        ASSERT_EQ(got.size(), expected.size());
        for (size_t i = 0; i < got.size(); ++i) {
            EXPECT_NEAR(got[i], expected[i], std::min(y.error_bound(), 1e-3));
        }
        const WeightStage& last = plan.stages.back();
        for (size_t s = 0; s < slots.size(); ++s) {
            const size_t unit = last.by_columns ? s % last.block : s / last.block;
            const double wanted = unit < expected.size() ? expected[unit] : 0;
            ASSERT_NEAR(slots[s], wanted, std::min(y.error_bound(), 1e-3));
        }
    }

    Random random;
    model::Model model;
    Network network;
    WeightPlan plan;
    ContextPtr context;
    SecretKey secret;
    PublicKey key;
    EncryptedWeightsProgram program;
};

TEST(EncryptedWeights, OneLayer) {
    Random random = seeded_random(1);
    World w(random_model("one", {7}, 3, {{"l", model::Linear{3, true, ""}}}, random));
    const auto x = random_example(w.model, w.random);
    w.expect(w.program.run(x), x, 1e-2);
    w.expect(w.program.run(encrypt_input(w.plan, x, w.key, w.random)), x, 1e-2);
}

TEST(EncryptedWeights, TwoLayersWithInputsInTheClearAndEncrypted) {
    Random random = seeded_random(2);
    World w(random_model(
        "two", {20}, 3,
        {{"l1", model::Linear{9, true, ""}}, {"a", kSquare}, {"l2", model::Linear{3, true, ""}}},
        random));
    EXPECT_EQ(w.plan.output_stride(), 16);
    const auto x = random_example(w.model, w.random);
    w.expect(w.program.run(x), x, 4.0);
    w.expect(w.program.run(encrypt_input(w.plan, x, w.key, w.random)), x, 4.0);
}

TEST(EncryptedWeights, ThreeLayersWithAPolynomial) {
    Random random = seeded_random(4);
    const model::Model m = random_model("three", {6}, 2,
                                        {{"l1", model::Linear{8, true, ""}},
                                         {"a1", kSigmoid},
                                         {"l2", model::Linear{5, true, ""}},
                                         {"a2", kSquare},
                                         {"l3", model::Linear{2, true, ""}}},
                                        random);
    std::vector<float> examples;
    for (int i = 0; i < 100; ++i) {
        for (double v : random_example(m, random)) examples.push_back(static_cast<float>(v));
    }
    World w(m, {.activation_degree = 3, .calibration = examples, .margin = 2});
    const auto x = random_example(m, w.random);
    w.expect(w.program.run(x), x, 1e3);  // sums over blocks bound errors by sums
}

TEST(EncryptedWeights, RefusesWhatDoesNotFit) {
    Random random = seeded_random(5);
    const model::Model m = random_model("one", {7}, 3, {{"l", model::Linear{3, true, ""}}}, random);
    World w(m);
    EXPECT_THAT(any_message_of([&] { w.program.run(std::vector<double>(6)); }),
                HasSubstr("expected 7 inputs, got 6"));
    EXPECT_THAT(any_message_of([&] { w.program.run(std::vector<double>(7, 2.0)); }),
                HasSubstr("outside the plan's range"));
    EXPECT_THAT(any_message_of([&] { w.program.run(std::vector<Ciphertext>{}); }),
                HasSubstr("ciphertexts of the input, got 0"));
    EXPECT_THAT(any_message_of([&] {
                    EncryptedWeightsProgram(w.plan, {},
                                            weight_evaluation_keys(w.secret, w.plan, w.random));
                }),
                HasSubstr("do not belong together"));
    EXPECT_THAT(any_message_of([&] { outputs_of(w.plan, std::vector<double>(2)); }),
                HasSubstr("too short"));
    const model::Model wide = random_model("wide", {4}, 2,
                                           {{"l1", model::Linear{1024, true, ""}},
                                            {"a", kSquare},
                                            {"l2", model::Linear{64, true, ""}},
                                            {"a2", kSquare},
                                            {"l3", model::Linear{2, true, ""}}},
                                           random);
    EXPECT_THAT(any_message_of([&] {
                    plan_encrypted_weights(lower(wide), {.input = {-1, 1}});
                }),
                HasSubstr("do not fit the packing"));
}

}  // namespace
}  // namespace ward::he
