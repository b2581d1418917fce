#include "ward/train/private_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/model/zoo.h"
#include "ward/nn/private_gradients.h"
#include "ward/nn/tape.h"
#include "ward/nn/threads.h"
#include "ward/nn/torch.h"
#include "ward/train/clipping.h"
#include "ward/train/lattice.h"

namespace ward::train {
namespace {

constexpr int64_t kExamples = 1000;

model::ModelSpec small_cnn() {
    model::ZooOptions options;
    options.input_shape = {1, 8, 8};
    options.outputs = 10;
    return model::make_model("cnn", options);
}

dp::PrivacyPlan plan_of(const model::ModelSpec& spec, double noise_multiplier,
                        dp::ClippingKind clipping = dp::ClippingKind::kFlat) {
    dp::PlanRequest request;
    request.examples = kExamples;
    request.expected_batch = 40;
    request.steps = 10;
    request.delta = 1e-5;
    request.noise_multiplier = noise_multiplier;
    request.clipping = clipping;
    request.clipping_norm = 0.5;
    if (clipping == dp::ClippingKind::kPerLayer) {
        const auto layers = nn::trainable_layers(spec);
        request.layer_norms.assign(layers, 0.5 / std::sqrt(static_cast<double>(layers)));
    }
    request.dimension = model::parameter_count(spec);
    request.sensitivity_margin = kSensitivityMargin;
    return dp::PrivacyPlan::create(request);
}

Batch random_batch(int64_t rows) {
    torch::manual_seed(5);
    return {torch::randn({rows, 1, 8, 8}) * 3, torch::randint(0, 10, {rows})};
}

Batch rows_of(const Batch& batch, int64_t first, int64_t count) {
    return {batch.inputs.narrow(0, first, count), batch.labels.narrow(0, first, count)};
}

std::vector<at::Tensor> gradient_of(nn::Network& network, const dp::PrivacyPlan& plan,
                                    const Batch& batch, int64_t micro_batch, uint64_t seed) {
    PrivateStep step(network, plan, 1);
    for (int64_t first = 0; first < batch.inputs.size(0); first += micro_batch) {
        step.add(rows_of(batch, first, std::min(micro_batch, batch.inputs.size(0) - first)));
    }
    Random random = testonly::seeded_random(seed);
    return step.finish(random);
}

double distance(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
    double squared = 0;
    for (size_t i = 0; i < a.size(); ++i)
        squared += (a[i].to(at::kDouble) - b[i].to(at::kDouble)).square().sum().item<double>();
    return std::sqrt(squared);
}

double length(const std::vector<at::Tensor>& a) {
    double squared = 0;
    for (const at::Tensor& t : a) squared += t.to(at::kDouble).square().sum().item<double>();
    return std::sqrt(squared);
}

// The clipped sum alone: what is left when the same noise is taken away again.
std::vector<at::Tensor> clipped_sum(nn::Network& network, const dp::PrivacyPlan& plan,
                                    const Batch& batch, int64_t micro_batch) {
    const std::vector<at::Tensor> with = gradient_of(network, plan, batch, micro_batch, 3);
    const std::vector<at::Tensor> noise = gradient_of(network, plan, rows_of(batch, 0, 0), 1, 3);
    std::vector<at::Tensor> sum;
    for (size_t i = 0; i < with.size(); ++i) {
        sum.push_back((with[i].to(at::kDouble) - noise[i].to(at::kDouble)) *
                      static_cast<double>(plan.settings().expected_batch));
    }
    return sum;
}

TEST(PrivateStep, SumsDoNotDependOnTheMicroBatch) {
    nn::Network network(small_cnn(), 1);
    const dp::PrivacyPlan plan = plan_of(network.spec(), 0.3);
    const Batch batch = random_batch(37);
    const auto whole = clipped_sum(network, plan, batch, 37);
    for (int64_t micro_batch : {1, 2, 7, 20}) {
        EXPECT_LT(distance(clipped_sum(network, plan, batch, micro_batch), whole) / length(whole),
                  2e-6)
            << micro_batch;
    }
}

TEST(PrivateStep, SameSettingsGiveTheSameBits) {
    nn::Network network(small_cnn(), 1);
    const dp::PrivacyPlan plan = plan_of(network.spec(), 1);
    const Batch batch = random_batch(30);
    const auto once = gradient_of(network, plan, batch, 11, 8),
               again = gradient_of(network, plan, batch, 11, 8);
    for (size_t i = 0; i < once.size(); ++i) EXPECT_TRUE(at::equal(once[i], again[i]));
}

TEST(PrivateStep, NoExampleMovesTheSumByMoreThanTheClippingNormAndItsMargin) {
    nn::Network network(small_cnn(), 1);
    const Batch batch = random_batch(24);
    for (dp::ClippingKind kind :
         {dp::ClippingKind::kFlat, dp::ClippingKind::kPerLayer, dp::ClippingKind::kAutomatic}) {
        const dp::PrivacyPlan plan = plan_of(network.spec(), 0.3, kind);
        const auto whole = clipped_sum(network, plan, batch, 24);
        for (int64_t left_out = 0; left_out < 24; ++left_out) {
            Batch others{at::cat({batch.inputs.narrow(0, 0, left_out),
                                  batch.inputs.narrow(0, left_out + 1, 23 - left_out)}),
                         at::cat({batch.labels.narrow(0, 0, left_out),
                                  batch.labels.narrow(0, left_out + 1, 23 - left_out)})};
            // 1e-5: the noise was taken away again in float32.
            EXPECT_LT(distance(whole, clipped_sum(network, plan, others, 24)),
                      0.5 * (1 + kSensitivityMargin) + 1e-5);
        }
    }
}

TEST(PrivateStep, NoiseHasTheDeviationOfThePlanAlsoForAnEmptyBatch) {
    nn::Network network(small_cnn(), 1);
    const dp::PrivacyPlan plan = plan_of(network.spec(), 2);
    const auto noise = gradient_of(network, plan, random_batch(0), 1, 9);
    double squares = 0;
    int64_t count = 0;
    for (const at::Tensor& t : noise) {
        squares += t.to(at::kDouble).square().sum().item<double>();
        count += t.numel();
    }
    const double expected = 2 * 0.5 / 40 * (1 + kSensitivityMargin);
    // Relative deviation of the estimate is 1 / sqrt(2 count): five of them.
    EXPECT_NEAR(std::sqrt(squares / static_cast<double>(count)), expected,
                5 * expected / std::sqrt(2.0 * static_cast<double>(count)) + 1e-4 * expected);
}

TEST(PrivateStep, WithoutClippingAndNoiseItIsTheOrdinaryGradient) {
    nn::Network network(small_cnn(), 1);
    const Batch batch = random_batch(16);
    nn::Tape tape;
    summed_loss(network.forward(batch.inputs, &tape), batch.labels, model::Task::kClassification, 1)
        .backward();
    nn::PrivateGradients gradients(network, std::move(tape), {});
    std::vector<at::Tensor> sums(network.parameters().size());
    gradients.add_weighted_sum(torch::ones_like(gradients.squared_norms(), at::kFloat), sums);

    for (auto& parameter : network.parameters()) parameter.value.set_requires_grad(true);
    summed_loss(network.forward(batch.inputs), batch.labels, model::Task::kClassification, 1)
        .backward();
    std::vector<at::Tensor> plain;
    for (auto& parameter : network.parameters()) plain.push_back(parameter.value.grad());
    EXPECT_LT(distance(sums, plain) / length(plain), 1e-6);
}

TEST(PrivateStep, AdaptiveClippingMovesTowardsTheQuantile) {
    nn::Network network(small_cnn(), 1);
    const dp::PrivacyPlan plan = plan_of(network.spec(), 1, dp::ClippingKind::kAdaptive);
    PrivateStep step(network, plan, 1);
    step.resume(0, 1e-3);  // far below every gradient norm
    Random random = testonly::seeded_random(4);
    step.add(random_batch(40));
    (void)step.finish(random);
    EXPECT_GT(step.clipping_norm(), 1e-3);
    step.resume(1, 1e4);
    step.add(random_batch(40));
    (void)step.finish(random);
    EXPECT_LT(step.clipping_norm(), 1e4);
}

TEST(PrivateStep, AnExampleWithABrokenGradientContributesNothing) {
    nn::Network network(small_cnn(), 1);
    const dp::PrivacyPlan plan = plan_of(network.spec(), 0.3);
    Batch batch = random_batch(6);
    const Batch others{batch.inputs.narrow(0, 1, 5), batch.labels.narrow(0, 1, 5)};
    batch.inputs[0].fill_(std::numeric_limits<float>::infinity());
    EXPECT_EQ(distance(clipped_sum(network, plan, batch, 6), clipped_sum(network, plan, others, 6)),
              0);
}

TEST(PrivateStep, RefusesDropoutAndMoreStepsThanThePlanHas) {
    model::ModelSpec spec = small_cnn();
    const dp::PrivacyPlan plan = plan_of(spec, 1);
    spec.layers.insert(spec.layers.begin(),
                       {"branch", model::Residual{{{"drop", model::Dropout{0.5}}}, {}}});
    nn::Network dropping(spec, 1), network(small_cnn(), 1);
    EXPECT_THROW(PrivateStep(dropping, plan, 1), Error);
    PrivateStep step(network, plan, 1);
    Random random = testonly::seeded_random(4);
    step.resume(plan.steps() - 1, plan.clipping_norm());
    (void)step.finish(random);
    EXPECT_THROW((void)step.finish(random), Error);
    EXPECT_THROW(step.resume(plan.steps() + 1, plan.clipping_norm()), Error);
    EXPECT_THROW(step.resume(0, 2 * plan.clipping_norm()), Error);
}

TEST(PrivateStep, RefusesAPlanForAnotherModel) {
    nn::Network network(small_cnn(), 1);
    dp::PlanRequest request = plan_of(network.spec(), 1).settings();
    request.dimension += 1;
    const dp::PrivacyPlan other = dp::PrivacyPlan::create(request);
    EXPECT_THROW(PrivateStep(network, other, 1), Error);
    request.dimension -= 1;
    request.sensitivity_margin = 0;
    const dp::PrivacyPlan tight = dp::PrivacyPlan::create(request);
    EXPECT_THROW(PrivateStep(network, tight, 1), Error);
}

TEST(Clipping, FactorsKeepEveryContributionWithinItsNorm) {
    torch::manual_seed(2);
    const at::Tensor squared = torch::rand({3, 100}, at::kDouble) * 10;
    const at::Tensor norms = squared.sum(0).sqrt();
    const auto most = [&](const at::Tensor& factors) {
        return (factors.select(0, 0).to(at::kDouble) * norms).max().item<double>();
    };
    EXPECT_LE(most(flat_clip_factors(squared, 0.7)), 0.7);
    EXPECT_GT(most(flat_clip_factors(squared, 0.7)), 0.7 * (1 - 1e-6));
    EXPECT_LE(most(automatic_clip_factors(squared, 0.7)), 0.7);
    const at::Tensor by_layer =
        per_layer_clip_factors(squared, {0.1, 0.2, 0.3}).to(at::kDouble) * squared.sqrt();
    EXPECT_TRUE(
        (by_layer <= torch::tensor({0.1, 0.2, 0.3}, at::kDouble).unsqueeze(1)).all().item<bool>());
}

TEST(Clipping, ShortGradientsAreLeftAloneAndBrokenOnesDropped) {
    const std::vector<double> values{0.01, 0, NAN, INFINITY};
    const at::Tensor squared = torch::tensor(values, at::kDouble).unsqueeze(0);
    const at::Tensor factors = flat_clip_factors(squared, 1)[0];
    EXPECT_NEAR(factors[0].item<double>(), 1, 1e-6);
    EXPECT_NEAR(factors[1].item<double>(), 1, 1e-6);
    EXPECT_EQ(factors[2].item<double>(), 0);
    EXPECT_EQ(factors[3].item<double>(), 0);
}

at::Tensor noisy_lattice_values(const at::Tensor& values, double step,
                                const dp::DiscreteGaussian& noise, Random& random, double scale) {
    std::vector<at::Tensor> all = {values.clone(), {}, values.clone()};
    add_lattice_noise(all, step, noise, random, scale);
    return all[0];
}

TEST(Lattice, RoundsToTheNearestMultipleAndAddsTheSameNoiseInEitherPrecision) {
    const at::Tensor values = torch::tensor({0.24f, 0.26f, -1.1f, 3.0f, NAN});
    const at::Tensor nearest = torch::tensor({0.0f, 1.0f, -2.0f, 6.0f, 0.0f});
    const dp::DiscreteGaussian noise(20);
    const auto noisy = [&](const at::Tensor& source, uint64_t seed) {
        Random random = testonly::seeded_random(seed);
        return noisy_lattice_values(source.clone(), 0.5, noise, random, 2.0);
    };
    // Twice the whole number plus twice the noise that the same generator adds to zeros.
    EXPECT_TRUE(at::equal(noisy(values, 6), nearest * 2 + noisy(torch::zeros({5}), 6)));
    EXPECT_TRUE(at::equal(noisy(values.to(at::kDouble), 6), noisy(values, 6)));
    EXPECT_FALSE(at::equal(noisy(values, 6), noisy(values, 7)));
}

TEST(Lattice, NoiseDoesNotDependOnTheNumberOfThreads) {
    const dp::DiscreteGaussian noise(1e6);
    std::vector<at::Tensor> results;
    for (int threads : {1, 3}) {
        nn::set_threads(threads);
        Random random = testonly::seeded_random(2);
        results.push_back(noisy_lattice_values(torch::zeros({200000}), 1, noise, random, 1));
    }
    nn::set_threads(2);
    EXPECT_TRUE(at::equal(results[0], results[1]));
}

TEST(LargestMicroBatch, ShrinksWithTheBatchAndThePositionsOfALayer) {
    model::ZooOptions options;
    options.input_shape = {784};
    options.outputs = 10;
    const model::ModelSpec mlp = model::make_model("mlp", options);
    EXPECT_EQ(largest_micro_batch(mlp, 256, 1), 786);
    EXPECT_EQ(largest_micro_batch(mlp, 1024, 1), 393);
    EXPECT_EQ(largest_micro_batch(mlp, 256, 4), 393);
    options.input_shape = {128};
    options.vocabulary = 100;
    EXPECT_LT(largest_micro_batch(model::make_model("transformer", options), 256, 1), 100);
}

model::ModelSpec regression_of(model::Shape input, std::vector<model::LayerSpec> layers,
                               bool tokens = false) {
    model::ModelSpec spec;
    spec.name = "hostile";
    spec.input_shape = std::move(input);
    spec.token_input = tokens;
    spec.outputs = 1;
    spec.task = model::Task::kRegression;
    spec.layers = std::move(layers);
    return spec;
}

// How far the last example of the batch moves the clipped sum, in clipping norms.
double influence_of_last(nn::Network& network, const Batch& batch, double clipping_norm = 0.5) {
    dp::PlanRequest request;
    request.examples = kExamples;
    request.expected_batch = 40;
    request.steps = 10;
    request.delta = 1e-5;
    request.noise_multiplier = 1;
    request.clipping_norm = clipping_norm;
    for (const nn::Parameter& parameter : network.parameters())
        request.dimension += parameter.trainable ? parameter.value.numel() : 0;
    request.dimension -= 1;
    request.sensitivity_margin = kSensitivityMargin;
    const dp::PrivacyPlan plan = dp::PrivacyPlan::create(request);
    const int64_t rows = batch.inputs.size(0);
    const auto with = gradient_of(network, plan, batch, rows, 3),
               without = gradient_of(network, plan, rows_of(batch, 0, rows - 1), rows, 3);
    double squared = 0;
    for (size_t i = 0; i < with.size(); ++i) {
        if (with[i].defined())
            squared += (with[i].to(at::kDouble) - without[i].to(at::kDouble))
                           .square()
                           .sum()
                           .item<double>();
    }
    return std::sqrt(squared) * 40 / clipping_norm;
}

// <a_t,a_s><g_t,g_s> falls below the least float32 off the diagonal only: the ghost norm must not
// become 0. The inputs lie in the null space of the first layer, so that no other layer's gradient
// grows along.
TEST(PrivateStep, OverflowingGhostNormsDoNotLetAnExampleThrough) {
    const int64_t time = 24, features = 96;
    nn::Network network(regression_of({time, features}, {{"fc", model::Linear{8}},
                                                         {"mean", model::MeanOverTime{}},
                                                         {"out", model::Linear{1}}}),
                        1);
    torch::manual_seed(1);
    const at::Tensor w = network.parameters()[0].value.to(at::kDouble);
    at::Tensor v = torch::randn({features}, at::kDouble);
    v = v - w.t().mv(at::linalg_solve(w.mm(w.t()), w.mv(v)));
    v = v / v.norm();
    for (double scale : {1e6, 1e10, 1e12, 1e14, 1e17}) {
        Batch batch{torch::randn({2, time, features}), torch::full({2, 1}, 1e12f)};
        batch.inputs[1].zero_();
        batch.inputs[1][0] = (v * scale).to(at::kFloat);
        batch.inputs[1][5] = (v * (-0.5 * scale)).to(at::kFloat);
        EXPECT_LT(influence_of_last(network, batch), 1 + kSensitivityMargin) << scale;
    }
}

// Squares of the gradient underflow, the inputs are as large.
TEST(PrivateStep, UnderflowingNormsDoNotLetAnExampleThrough) {
    for (const bool several_positions : {false, true}) {
        const int64_t time = several_positions ? 2 : 1, features = 4000;
        nn::Network network(regression_of({time, features}, {{"fc", model::Linear{1500, false}},
                                                             {"mean", model::MeanOverTime{}},
                                                             {"out", model::Linear{1, false}}}),
                            1);
        network.parameters()[0].value.zero_();
        network.parameters()[1].value.fill_(1e-23);
        Batch batch{torch::zeros({2, time, features}), torch::zeros({2, 1})};
        batch.inputs[1].fill_(1e18);
        batch.labels[1] = static_cast<float>(time);
        EXPECT_LT(influence_of_last(network, batch, 1e-3), 1 + kSensitivityMargin) << time;
    }
}

// The same token twice, with gradients that cancel but for a trace: the norm is that of the trace,
// the additions in float32 are not.
TEST(PrivateStep, CancellingTokensDoNotWashOutTheOthers) {
    nn::Network network(regression_of({2},
                                      {{"emb", model::Embedding{3, 1}},
                                       {"flat", model::Flatten{}},
                                       {"out", model::Linear{1, false}, true}},
                                      true),
                        1);
    network.parameters()[0].value.zero_();
    network.parameters()[1].value[0][0] = 1.0f;
    network.parameters()[1].value[0][1] = -1.0f + 0x1p-24f;
    for (double target : {1e5, 1e6, 4e6, 3e7}) {
        Batch batch{torch::ones({9, 2}), torch::full({9, 1}, 0.1234f)};
        batch.inputs.select(1, 1).zero_();
        batch.inputs[8].fill_(1);
        batch.labels[8] = target;
        EXPECT_LT(influence_of_last(network, batch), 1 + kSensitivityMargin) << target;
    }
}

TEST(PrivateStep, TargetsThatBroadcastAreRefused) {
    nn::Network network(regression_of({4}, {{"out", model::Linear{1}}}), 1);
    EXPECT_THROW(influence_of_last(network, {torch::randn({5, 4}), torch::randn({5})}), Error);
    EXPECT_THROW(influence_of_last(network, {torch::randn({5, 4}), torch::zeros({5}, at::kLong)}),
                 Error);
}

TEST(Clipping, FactorsBelowTheNormalNumbersAreZero) {
    const at::Tensor bounds = torch::full({1, 1}, 1e76, at::kDouble);
    for (double norm : {2e-7, 1e-6, 1e-3, 1e-1, 1e2}) {
        for (const at::Tensor& factors :
             {flat_clip_factors(bounds, norm), automatic_clip_factors(bounds, norm),
              per_layer_clip_factors(bounds, {norm})}) {
            EXPECT_LE(static_cast<double>(factors.item<float>()) * 1e38, norm) << norm;
        }
    }
}

TEST(Lattice, ValuesBeyondItsEndStayThere) {
    Random random = testonly::seeded_random(1);
    const dp::DiscreteGaussian noise(4);
    const at::Tensor values =
        torch::tensor({0x1p49, 0x1p52, 1e300, HUGE_VAL, -HUGE_VAL, std::nan("")}, at::kDouble);
    const at::Tensor out = noisy_lattice_values(values, 1, noise, random, 1);
    const std::vector<double> expected = {0x1p49, 0x1p50, 0x1p50, 0x1p50, -0x1p50, 0};
    for (int64_t i = 0; i < 6; ++i) EXPECT_NEAR(out[i].item<double>(), expected[i], 200) << i;
}

}  // namespace
}  // namespace ward::train
