#include "ward/mpc/learn/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

using Kind = NetworkLayer::Kind;

constexpr size_t kBatch = 32;
constexpr NetworkLayer kRelu = {.kind = Kind::kRelu};

NetworkShape dense(std::vector<size_t> widths) {
    return {.widths = std::move(widths), .image = {}, .layers = {}};
}

// Two channels; a pool behind the convolution, with which a pool of means merges.
NetworkShape pooled_convolutions(Kind pool) {
    return {.widths = {},
            .image = {6, 5, 2},
            .layers = {{.kind = Kind::kConvolution, .outputs = 3, .kernel = 2},
                       {.kind = pool, .outputs = 0, .kernel = 2, .stride = 2},
                       kRelu,
                       {.kind = Kind::kConvolution, .outputs = 4, .kernel = 2, .padding = 1},
                       kRelu,
                       {.kind = pool, .outputs = 0, .kernel = 2, .stride = 1},
                       {.kind = Kind::kDense, .outputs = 3}}};
}

// Group norms of images and of flat values, with channels that are not in order.
NetworkShape normalised_convolutions() {
    return {.widths = {},
            .image = {5, 4, 2},
            .layers = {{.kind = Kind::kConvolution, .outputs = 4, .kernel = 3, .padding = 1},
                       {.kind = Kind::kGroupNorm, .groups = 2},
                       kRelu,
                       {.kind = Kind::kAveragePool, .outputs = 0, .kernel = 2, .stride = 2},
                       {.kind = Kind::kDense, .outputs = 6},
                       {.kind = Kind::kGroupNorm, .groups = 1},
                       kRelu,
                       {.kind = Kind::kDense, .outputs = 3}}};
}

// Stride, padding, a pool of 3 x 3 by itself and one of maxima whose windows overlap.
NetworkShape unusual_convolutions() {
    return {.widths = {},
            .image = {7, 7, 1},
            .layers = {{.kind = Kind::kConvolution, .outputs = 2, .kernel = 3, .padding = 2},
                       {.kind = Kind::kAveragePool, .outputs = 0, .kernel = 3, .stride = 2},
                       {.kind = Kind::kConvolution, .outputs = 3, .kernel = 2, .padding = 1},
                       kRelu,
                       {.kind = Kind::kMaxPool, .outputs = 0, .kernel = 3, .stride = 2},
                       {.kind = Kind::kDense, .outputs = 4},
                       kRelu,
                       {.kind = Kind::kDense, .outputs = 1}}};
}

struct Problem {
    NetworkShape shape;
    NetworkWeights initial;
    std::vector<double> inputs, labels;
    RingMatrix x, y;
};

// Points of three classes around three centres (or two for one output).
Problem make_problem(const NetworkShape& shape, size_t rows) {
    Problem out{.shape = shape};
    Random random = testonly::seeded_random(11);
    out.initial = initial_weights(shape, random);
    const size_t features = shape.inputs(), outputs = shape.outputs();
    const size_t classes = std::max<size_t>(outputs, 2);
    for (size_t r = 0; r < rows; ++r) {
        const size_t label = r % classes;
        for (size_t f = 0; f < features; ++f) {
            out.inputs.push_back((f % classes == label ? 1.0 : 0.0) + random.uniform01() - 0.5);
        }
        for (size_t c = 0; c < outputs; ++c) {
            out.labels.push_back(outputs == 1 ? static_cast<double>(label)
                                              : (c == label ? 1.0 : 0.0));
        }
    }
    out.x = encode(out.inputs, rows, features, "inputs");
    out.y = encode(out.labels, rows, outputs, "labels");
    return out;
}

SharedMatrix shared(Party& party, const RingMatrix& values) {
    return share(party, 0, party.index() == 0 ? &values : nullptr, values.rows, values.cols);
}

// A step of the definition in floating point, one hidden layer at most; no momentum.
double float_loss(const NetworkWeights& network, const Problem& problem) {
    const size_t outputs = problem.shape.outputs();
    const auto scores = plain_scores(network, problem.inputs, problem.x.rows);
    double loss = 0;
    for (size_t r = 0; r < problem.x.rows; ++r) {
        if (outputs == 1) {
            loss += std::log1p(std::exp(scores[r])) - problem.labels[r] * scores[r];
            continue;
        }
        double sum = 0, right = 0;
        for (size_t c = 0; c < outputs; ++c) {
            sum += std::exp(scores[r * outputs + c]);
            right += problem.labels[r * outputs + c] * scores[r * outputs + c];
        }
        loss += std::log(sum) - right;
    }
    return loss / static_cast<double>(problem.x.rows);
}

NetworkWeights train_on_shares(const Problem& problem, const TrainOptions& options, int steps) {
    NetworkWeights out;
    run_local([&](Party& party) {
        Network network(party, problem.shape, problem.initial, options);
        const SharedMatrix x = shared(party, problem.x), y = shared(party, problem.y);
        for (int i = 0; i < steps; ++i) network.train_step(x, y);
        NetworkWeights got = network.reveal(party);
        if (party.index() == 0) out = std::move(got);
    });
    return out;
}

NetworkWeights train_twin(const Problem& problem, const TrainOptions& options, int steps,
                          uint64_t seed) {
    Twin twin(testonly::seeded_random(seed));
    TwinNetwork network(twin, problem.shape, problem.initial, options);
    for (int i = 0; i < steps; ++i) network.train_step(problem.x, problem.y);
    return {problem.shape, network.weights(), network.biases()};
}

double largest_difference(const NetworkWeights& a, const NetworkWeights& b) {
    double worst = 0;
    for (size_t l = 0; l < a.weights.size(); ++l) {
        for (size_t i = 0; i < a.weights[l].size(); ++i) {
            worst =
                std::max(worst, std::abs(decode(a.weights[l].values[i] - b.weights[l].values[i])));
        }
        for (size_t i = 0; i < a.biases[l].size(); ++i) {
            worst =
                std::max(worst, std::abs(decode(a.biases[l].values[i] - b.biases[l].values[i])));
        }
    }
    return worst;
}

TEST(Network, OneStepIsTheGradientOfTheLoss) {
    for (const NetworkShape& shape :
         {dense({6, 8, 3}), dense({5, 1}), pooled_convolutions(Kind::kAveragePool),
          pooled_convolutions(Kind::kMaxPool), unusual_convolutions(), normalised_convolutions()}) {
        const Problem problem = make_problem(shape, kBatch);
        const TrainOptions options = {.batch_size = kBatch, .learning_rate = 0.5, .momentum = 0};
        const NetworkWeights after = train_on_shares(problem, options, 1);
        const NetworkWeights twin = train_twin(problem, options, 1, 5);
        EXPECT_LT(largest_difference(after, twin), 0x1p-10) << shape.text();
        for (size_t l = 0; l < after.weights.size(); ++l) {
            for (size_t i = 0; i < after.weights[l].size(); ++i) {
                NetworkWeights up = problem.initial, down = problem.initial;
                const double h = 1.0 / 512;
                up.weights[l].values[i] += encode_constant(h);
                down.weights[l].values[i] -= encode_constant(h);
                const double slope =
                    (float_loss(up, problem) - float_loss(down, problem)) / (2 * h);
                const double moved =
                    decode(after.weights[l].values[i] - problem.initial.weights[l].values[i]);
                EXPECT_NEAR(moved, -0.5 * slope, 0.006)
                    << shape.text() << " layer " << l << " weight " << i;
            }
        }
    }
}

TEST(Network, SharesAndTwinStayTogether) {
    const Problem problem = make_problem(dense({6, 8, 8, 3}), kBatch);
    const TrainOptions options = {.batch_size = kBatch, .learning_rate = 0.2, .momentum = 0.9};
    const NetworkWeights on_shares = train_on_shares(problem, options, 15);
    const NetworkWeights twin = train_twin(problem, options, 15, 1);
    const NetworkWeights other_twin = train_twin(problem, options, 15, 2);
    // Both draw their own dither; two twins show how far apart that takes them.
    EXPECT_LT(largest_difference(on_shares, twin),
              4 * largest_difference(other_twin, twin) + 0x1p-10);
    EXPECT_LT(float_loss(on_shares, problem), 0.5 * float_loss(problem.initial, problem));
}

TEST(Network, ScoresMatchFloatingPoint) {
    const Problem problem = make_problem(dense({6, 8, 3}), 10);
    const auto expected = plain_scores(problem.initial, problem.inputs, 10);
    run_local([&](Party& party) {
        Network network(party, problem.shape, problem.initial, {});
        const auto got = decode(open(party, network.scores(shared(party, problem.x))));
        for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 0x1p-12);
    });
}

TEST(Network, ConvolutionsTrainWithSecurityAgainstDeviations) {
    const Problem problem = make_problem(pooled_convolutions(Kind::kMaxPool), 8);
    const TrainOptions options = {.batch_size = 8, .learning_rate = 0.2, .momentum = 0.5};
    const NetworkWeights twin = train_twin(problem, options, 2, 3);
    run_local(
        [&](Party& party) {
            Network network(party, problem.shape, problem.initial, options);
            for (int i = 0; i < 2; ++i) {
                network.train_step(shared(party, problem.x), shared(party, problem.y));
            }
            EXPECT_LT(largest_difference(network.reveal(party), twin), 0x1p-9);
        },
        {.security = Security::kMalicious});
}

TEST(Network, GroupNormsTrainWithSecurityAgainstDeviations) {
    const Problem problem = make_problem(normalised_convolutions(), 6);
    const TrainOptions options = {.batch_size = 6, .learning_rate = 0.2, .momentum = 0.5};
    const NetworkWeights twin = train_twin(problem, options, 2, 3);
    run_local(
        [&](Party& party) {
            Network network(party, problem.shape, problem.initial, options);
            for (int i = 0; i < 2; ++i) {
                network.train_step(shared(party, problem.x), shared(party, problem.y));
            }
            EXPECT_LT(largest_difference(network.reveal(party), twin), 0x1p-7);
        },
        {.security = Security::kMalicious});
    const auto expected = plain_scores(problem.initial, problem.inputs, 6);
    Twin context(testonly::seeded_random(1));
    TwinNetwork network(context, problem.shape, problem.initial, {});
    const auto got = decode(network.scores(problem.x));
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 0.005);
}

TEST(Network, SquaredErrorHasItsOwnGradient) {
    const Problem problem = make_problem(dense({4, 2}), kBatch);
    const TrainOptions options = {
        .batch_size = kBatch, .learning_rate = 0.5, .momentum = 0, .loss = Loss::kSquared};
    const NetworkWeights after = train_on_shares(problem, options, 1);
    const std::vector<double> scores = plain_scores(problem.initial, problem.inputs, kBatch);
    for (size_t i = 0; i < 4; ++i) {
        for (size_t c = 0; c < 2; ++c) {
            double gradient = 0;
            for (size_t r = 0; r < kBatch; ++r) {
                gradient += problem.inputs[r * 4 + i] *
                            (scores[r * 2 + c] - problem.labels[r * 2 + c]) / kBatch;
            }
            const size_t at = i * 2 + c;
            EXPECT_NEAR(decode(after.weights[0].values[at] - problem.initial.weights[0].values[at]),
                        -0.5 * gradient, 0x1p-12);
        }
    }
}

TEST(Network, AdamIsTheAlgorithmOfThePaper) {
    const Problem problem = make_problem(dense({5, 1}), kBatch);
    const TrainOptions options = {.batch_size = kBatch,
                                  .learning_rate = 0.05,
                                  .momentum = 0.9,
                                  .optimizer = Optimizer::kAdam,
                                  .second_momentum = 0.99};
    constexpr int kSteps = 5;
    // The definition in floating point, on sums of a batch.
    std::vector<double> w(6), m(6), v(6);
    for (size_t i = 0; i < 5; ++i) w[i] = decode(problem.initial.weights[0].values[i]);
    for (int t = 1; t <= kSteps; ++t) {
        std::vector<double> gradient(6);
        for (size_t r = 0; r < kBatch; ++r) {
            double score = w[5];
            for (size_t i = 0; i < 5; ++i) score += w[i] * problem.inputs[r * 5 + i];
            const double error = 1 / (1 + std::exp(-score)) - problem.labels[r];
            for (size_t i = 0; i < 5; ++i) gradient[i] += error * problem.inputs[r * 5 + i];
            gradient[5] += error;
        }
        for (size_t i = 0; i < 6; ++i) {
            m[i] = 0.9 * m[i] + 0.1 * gradient[i];
            v[i] = 0.99 * v[i] + 0.01 * gradient[i] * gradient[i];
            w[i] -=
                0.05 * (m[i] / (1 - std::pow(0.9, t))) / std::sqrt(v[i] / (1 - std::pow(0.99, t)));
        }
    }
    const NetworkWeights got = train_on_shares(problem, options, kSteps);
    for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(decode(got.weights[0].values[i]), w[i], 0.004);
    EXPECT_NEAR(decode(got.biases[0].values[0]), w[5], 0.004);
    EXPECT_LT(largest_difference(got, train_twin(problem, options, kSteps, 1)), 0.003);
}

TEST(Network, AdamTrainsConvolutionsWithSecurityAgainstDeviations) {
    const Problem problem = make_problem(pooled_convolutions(Kind::kAveragePool), 8);
    const TrainOptions options = {
        .batch_size = 8, .learning_rate = 0.01, .optimizer = Optimizer::kAdam};
    const NetworkWeights twin = train_twin(problem, options, 3, 3);
    run_local(
        [&](Party& party) {
            Network network(party, problem.shape, problem.initial, options);
            for (int i = 0; i < 3; ++i) {
                network.train_step(shared(party, problem.x), shared(party, problem.y));
            }
            // Where a gradient is nearly 0, its sign and with it the move is a matter of dither.
            EXPECT_LT(largest_difference(network.reveal(party), twin), 6 * 0.01);
        },
        {.security = Security::kMalicious});
    EXPECT_LT(float_loss(twin, problem), float_loss(problem.initial, problem));
}

TEST(Network, RefusesShapesAndOptionsThatMakeNoSense) {
    const Problem problem = make_problem(dense({6, 8, 3}), 10);
    Twin twin(testonly::seeded_random(1));
    const auto refused = [&](const NetworkShape& shape, const TrainOptions& options) {
        return testonly::message_of([&] { TwinNetwork(twin, shape, problem.initial, options); },
                                    ErrorCode::kUsage);
    };
    EXPECT_THAT(refused(dense({6, 9, 3}), {}), HasSubstr("layer 0 are 6 x 8, expected 6 x 9"));
    EXPECT_THAT(refused(dense({6, 3}), {}), HasSubstr("2 layers, expected 1"));
    EXPECT_THAT(refused(problem.shape, {.momentum = 1}), HasSubstr("[0, 1), got 1"));
    EXPECT_THAT(refused(problem.shape, {.learning_rate = -1}), HasSubstr("(0, 16], got -1"));
    NetworkShape wrong = pooled_convolutions(Kind::kMaxPool);
    wrong.layers[0].kernel = 9;
    EXPECT_THAT(refused(wrong, {}), HasSubstr("layer 0 of the network: a kernel of 9"));
    wrong = pooled_convolutions(Kind::kMaxPool);
    wrong.layers.pop_back();
    EXPECT_THAT(refused(wrong, {}), HasSubstr("the last layer must be dense"));
    TwinNetwork network(twin, problem.shape, problem.initial, {.batch_size = 12});
    EXPECT_THAT(
        testonly::message_of([&] { network.train_step(problem.x, problem.y); }, ErrorCode::kUsage),
        HasSubstr("needs 12 rows"));
}

}  // namespace
}  // namespace ward::mpc
