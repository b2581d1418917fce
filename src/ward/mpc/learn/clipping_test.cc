#include "ward/mpc/learn/clipping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/network.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

SharedMatrix shared(Party& party, const RingMatrix& values) {
    return share(party, 0, party.index() == 0 ? &values : nullptr, values.rows, values.cols);
}

RingMatrix random_matrix(Random& random, size_t rows, size_t cols, double size) {
    std::vector<double> values(rows * cols);
    for (double& v : values) v = (2 * random.uniform01() - 1) * size;
    return encode(values, rows, cols, "x");
}

double square_of_row(const RingMatrix& x, size_t row) {
    double sum = 0;
    for (size_t c = 0; c < x.cols; ++c) {
        const double value = decode(x.values[row * x.cols + c]);
        sum += value * value;
    }
    return sum;
}

TEST(Clip, CapsWhateverADivisionCanGive) {
    RingMatrix x(2, 4);
    const double values[] = {0.5, -0.5, 8.25, -9, 1000, -1000, 8, -8};
    for (size_t i = 0; i < 8; ++i) x.values[i] = encode_constant(values[i]);
    x.values[4] = Ring{1} << 50;
    x.values[5] = 0 - (Ring{1} << 50);
    const RingVector bounds(8, encode_constant(8));
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                EXPECT_EQ(decode(open(party, cap(party, shared(party, x), bounds))),
                          (std::vector<double>{0.5, -0.5, 8, -8, 8, -8, 8, -8}));
                EXPECT_THAT(
                    testonly::message_of([&] { cap(party, shared(party, x), RingVector(3)); },
                                         ErrorCode::kUsage),
                    HasSubstr("3 bounds for 8 values"));
            },
            {.security = security});
    }
}

// What an owner who deviates may have shared: nothing leaves the bounds.
TEST(Clip, KeepsEveryNumberOf64BitsInTheBounds) {
    const Ring bound = 3 << kFractionBits, half = Ring{1} << 63;
    RingMatrix x(1, 64 + 9);
    for (size_t k = 0; k < 64; ++k) x.values[k] = Ring{1} << k;
    const Ring edges[] = {half,     half + 5,     half - 5,           half + bound,    half - bound,
                          half - 1, half + 65536, 0 - (half - 65536), half + 2 * bound};
    std::copy(std::begin(edges), std::end(edges), x.values.begin() + 64);
    const RingVector bounds(x.size(), bound);
    Twin twin(testonly::seeded_random(1));
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                const RingMatrix got = open(party, cap(party, shared(party, x), bounds));
                EXPECT_EQ(got.values, cap(twin, x, bounds).values);
                for (size_t i = 0; i < x.size(); ++i) {
                    const auto value = static_cast<int64_t>(got.values[i]);
                    EXPECT_LE(std::abs(value), static_cast<int64_t>(bound)) << x.values[i];
                }
            },
            {.security = security});
    }
}

TEST(Clip, RowProductsAreExact) {
    Random random = testonly::seeded_random(2);
    const RingMatrix x = random_matrix(random, 3, 5, 4), y = random_matrix(random, 3, 5, 4);
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                const SharedMatrix a = shared(party, x), b = shared(party, y);
                const Product pairs[] = {{&a, &b}, {&a, &a}};
                const RingMatrix got = open(party, row_products(party, pairs));
                for (size_t r = 0; r < 3; ++r) {
                    Ring both = 0, square = 0;
                    for (size_t i = r * 5; i < r * 5 + 5; ++i) {
                        both += x.values[i] * y.values[i];
                        square += x.values[i] * x.values[i];
                    }
                    EXPECT_EQ(got.values[2 * r], both);
                    EXPECT_EQ(got.values[2 * r + 1], square);
                }
            },
            {.security = security});
    }
}

std::vector<NetworkStep> steps_for(std::vector<size_t> widths) {
    return steps_of({.widths = std::move(widths), .image = {}, .layers = {}});
}

// For errors of all sizes: never above the bound, and not far below it.
void expect_bounded_norms(Security security) {
    Random random = testonly::seeded_random(3);
    constexpr size_t kRows = 400;
    const double unit = security == Security::kMalicious ? 0x1p-15 : 0x1p-16;  // of a division
    for (const double norm : {0.0625, 0.5, 1.0, 3.7, 256.0}) {
        const Clipping clipping(steps_for({6, 4, 2}), norm, security);
        std::vector<RingMatrix> inputs = {random_matrix(random, kRows, 6, 8),
                                          random_matrix(random, kRows, 4, 8)};
        std::vector<RingMatrix> errors = {RingMatrix(kRows, 4), RingMatrix(kRows, 2)};
        for (size_t r = 0; r < kRows; ++r) {
            const double size = std::pow(2.0, -static_cast<double>(r % 17));
            for (RingMatrix& d : errors) {
                for (size_t c = 0; c < d.cols; ++c) {
                    d.values[r * d.cols + c] =
                        encode_constant(r == 0 ? 1 : (2 * random.uniform01() - 1) * size);
                }
            }
        }
        std::fill(inputs[0].values.begin(), inputs[0].values.begin() + 6, encode_constant(8));
        const auto check = [&](Party& party) {
            std::vector<SharedMatrix> a, d;
            for (const RingMatrix& x : inputs) a.push_back(shared(party, x));
            for (const RingMatrix& x : errors) d.push_back(shared(party, x));
            const RingMatrix c = open(party, clip_factors(party, clipping, a, d));
            for (size_t r = 0; r < kRows; ++r) {
                double square = 0;
                for (size_t l = 0; l < 2; ++l) {
                    square += (square_of_row(inputs[l], r) + 1) * square_of_row(errors[l], r);
                }
                const double factor = decode(c.values[r]), whole = std::sqrt(square);
                EXPECT_LE(factor * whole, norm) << "row " << r;
                EXPECT_GE(factor * whole, -norm) << "row " << r;
                EXPECT_LE(factor, 1);
                // 1 % below, one unit of the factor, and what rounding a small norm upwards costs.
                const double wanted = std::min(1.0, norm / std::sqrt(square + 2 * unit));
                EXPECT_GE(factor, 0.99 * wanted - 2 * unit) << "row " << r;
            }
        };
        run_local(check, {.security = security});
    }
}

TEST(Clipping, TheNormNeverExceedsTheBound) { expect_bounded_norms(Security::kSemiHonest); }
TEST(Clipping, TheNormNeverExceedsTheBoundVerified) { expect_bounded_norms(Security::kMalicious); }

// Two convolutions, the first with an average pool in it, and a dense layer.
NetworkShape small_images() {
    using Kind = NetworkLayer::Kind;
    return {.widths = {},
            .image = {7, 7, 1},
            .layers = {{.kind = Kind::kConvolution, .outputs = 3, .kernel = 2},
                       {.kind = Kind::kAveragePool, .outputs = 0, .kernel = 2, .stride = 2},
                       {.kind = Kind::kRelu},
                       {.kind = Kind::kConvolution, .outputs = 2, .kernel = 2, .padding = 1},
                       {.kind = Kind::kRelu},
                       {.kind = Kind::kMaxPool, .outputs = 0, .kernel = 2, .stride = 2},
                       {.kind = Kind::kDense, .outputs = 2}}};
}

// |gradient|^2 of one example by the weights and biases of a layer, in the clear.
double square_of_gradient(const Clipping::Layer& layer, const RingMatrix& inputs,
                          const RingMatrix& errors, size_t example) {
    double square = 0;
    const auto value = [](const RingMatrix& x, size_t row, size_t col) {
        return decode(x.values[row * x.cols + col]);
    };
    const size_t first = example * layer.positions;
    for (size_t o = 0; o < layer.outputs; ++o) {
        double bias = 0;
        for (size_t p = first; p < first + layer.positions; ++p) bias += value(errors, p, o);
        square += bias * bias;
        for (size_t w = 0; w < layer.patch; ++w) {
            double sum = 0;
            for (size_t p = first; p < first + layer.positions; ++p) {
                sum += value(inputs, p, w) * value(errors, p, o);
            }
            square += std::pow(std::ldexp(sum, -layer.box_bits), 2);
        }
    }
    return square;
}

TEST(Clipping, TheNormOfConvolutionsNeverExceedsTheBound) {
    Random random = testonly::seeded_random(6);
    constexpr size_t kExamples = 60;
    for (const double norm : {0.25, 1.0, 30.0}) {
        for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
            const Clipping clipping(steps_of(small_images()), norm, security);
            ASSERT_EQ(clipping.layers()[0].box_bits, 2);
            ASSERT_EQ(clipping.layers()[1].positions, 16u);
            std::vector<RingMatrix> inputs, errors;
            for (const Clipping::Layer& layer : clipping.layers()) {
                const size_t rows = kExamples * layer.positions;
                inputs.push_back(random_matrix(random, rows, layer.patch, layer.input_bound()));
                RingMatrix d(rows, layer.outputs);
                for (size_t i = 0; i < d.size(); ++i) {
                    const size_t example = i / (layer.positions * layer.outputs);
                    const double size = std::pow(2.0, -static_cast<double>(example % 17));
                    d.values[i] =
                        encode_constant(example == 0 ? 1 : (2 * random.uniform01() - 1) * size);
                }
                errors.push_back(std::move(d));
            }
            std::fill_n(inputs[0].values.begin(), 9 * 4, encode_constant(32));  // the largest
            run_local(
                [&](Party& party) {
                    std::vector<SharedMatrix> a, d;
                    for (const RingMatrix& x : inputs) a.push_back(shared(party, x));
                    for (const RingMatrix& x : errors) d.push_back(shared(party, x));
                    const RingMatrix c = open(party, clip_factors(party, clipping, a, d));
                    ASSERT_EQ(c.rows, kExamples);
                    for (size_t i = 0; i < kExamples; ++i) {
                        double square = 0;
                        for (size_t l = 0; l < 2; ++l) {
                            square +=
                                square_of_gradient(clipping.layers()[l], inputs[l], errors[l], i);
                        }
                        square += (square_of_row(inputs[2], i) + 1) * square_of_row(errors[2], i);
                        const double factor = decode(c.values[i]), whole = std::sqrt(square);
                        EXPECT_LE(std::abs(factor) * whole, norm) << "example " << i;
                        EXPECT_LE(factor, 1);
                        const double wanted = std::min(1.0, norm / std::sqrt(square + 0x1p-12));
                        EXPECT_GE(factor, 0.98 * wanted - 0x1p-14) << "example " << i;
                    }
                },
                {.security = security});
        }
    }
}

TEST(Clipping, RefusesWhatHasNoBound) {
    const auto refused = [](const auto& make, ErrorCode code) {
        return testonly::message_of(make, code);
    };
    EXPECT_THAT(refused(
                    [] {
                        Clipping(steps_for({4, 2}), 0.01);
                    },
                    ErrorCode::kUsage),
                HasSubstr("from 1/16 to 256, got 0.01"));
    EXPECT_THAT(refused(
                    [] {
                        Clipping(steps_for({3000, 1000}), 0.0625);
                    },
                    ErrorCode::kUnsupported),
                HasSubstr("too wide for clipping to the norm 0.0625"));
    using Kind = NetworkLayer::Kind;
    NetworkShape image{.widths = {},
                       .image = {4, 4, 1},
                       .layers = {{.kind = Kind::kConvolution, .outputs = 2, .kernel = 2},
                                  {.kind = Kind::kGroupNorm, .groups = 1},
                                  {.kind = Kind::kDense, .outputs = 2}}};
    EXPECT_THAT(refused([&] { Clipping(steps_of(image), 1); }, ErrorCode::kUnsupported),
                HasSubstr("no form for group norms"));
    image = {.widths = {},
             .image = {600, 600, 1},
             .layers = {{.kind = Kind::kConvolution, .outputs = 20, .kernel = 5},
                        {.kind = Kind::kDense, .outputs = 2}}};
    EXPECT_THAT(refused([&] { Clipping(steps_of(image), 1); }, ErrorCode::kUnsupported),
                HasSubstr("too wide"));
    Random random = testonly::seeded_random(4);
    const NetworkShape shape{.widths = {4, 2}, .image = {}, .layers = {}};
    const NetworkWeights initial = initial_weights(shape, random);
    const TrainOptions options = {.batch_size = 8, .clipping_norm = 1, .noise_multiplier = 1};
    const auto make = [&](Party& party) { Network(party, shape, initial, options); };
    run_local(
        [&](Party& party) {
            EXPECT_THAT(refused([&] { make(party); }, ErrorCode::kUnsupported),
                        HasSubstr("fast truncation"));
        },
        {.truncation = Truncation::kFast});
    Twin twin(testonly::seeded_random(1));
    TrainOptions large = options;
    large.batch_size = 5000;
    EXPECT_THAT(refused([&] { TwinNetwork(twin, shape, initial, large); }, ErrorCode::kUsage),
                HasSubstr("at most 8192, got 50120"));
    // What a corrupt party may add would lead the velocity out of range.
    const NetworkShape wide{.widths = {4000, 1}, .image = {}, .layers = {}};
    TrainOptions slow = options;
    slow.momentum = 0.95;
    run_local(
        [&](Party& party) {
            EXPECT_THAT(
                refused([&] { Network(party, wide, zero_weights(wide), slow); }, ErrorCode::kUsage),
                HasSubstr("take a smaller momentum"));
            TrainOptions without = slow;
            without.momentum = 0;
            EXPECT_NO_THROW(Network(party, wide, zero_weights(wide), without));
        },
        {.security = Security::kMalicious});
    run_local(
        [&](Party& party) { EXPECT_NO_THROW(Network(party, wide, zero_weights(wide), slow)); });
    TrainOptions adam = options;
    adam.optimizer = Optimizer::kAdam;
    adam.noise_multiplier = 60;
    EXPECT_THAT(refused([&] { TwinNetwork(twin, shape, initial, adam); }, ErrorCode::kUsage),
                HasSubstr("at most 48, got 60"));
}

// One example with a huge error: what it moves the sum by is the bound, and the noise has the
// deviation asked for.
TEST(Clipping, OneExampleMovesTheSumByTheNorm) {
    const NetworkShape shape{.widths = {3, 1}, .image = {}, .layers = {}};
    NetworkWeights initial = zero_weights(shape);
    const RingMatrix x = encode(std::vector<double>{8, -8, 8, 0, 0, 0}, 2, 3, "x");
    const RingMatrix y = encode(std::vector<double>{1, 0.5}, 2, 1, "y");
    const TrainOptions options = {
        .batch_size = 2, .learning_rate = 2, .momentum = 0, .clipping_norm = 0.5};
    run_local([&](Party& party) {
        Network network(party, shape, initial, options);
        network.train_step(shared(party, x), shared(party, y));
        const NetworkWeights got = network.reveal(party);
        double square = decode(got.biases[0].values[0]) * decode(got.biases[0].values[0]);
        for (Ring w : got.weights[0].values) square += decode(w) * decode(w);
        EXPECT_LE(std::sqrt(square), 0.5 + 2 * 0x1p-16);
        EXPECT_GE(std::sqrt(square), 0.5 * 0.99);
        EXPECT_GT(decode(got.weights[0].values[0]), 0);
    });
}

// A corrupt party's noise can lead the weights anywhere. What an example adds stays bounded, and
// no honest party fails a check, which would tell something about the example.
void expect_bound_for_weights_of_any_size(const NetworkShape& shape) {
    constexpr double kNorm = 0.75;
    const TrainOptions options = {
        .batch_size = 1, .learning_rate = 1, .momentum = 0, .clipping_norm = kNorm};
    Random random = testonly::seeded_random(8);
    for (int bits : {63, 50, 40, 34, 30, 24}) {
        NetworkWeights initial = zero_weights(shape);
        for (auto* part : {&initial.weights, &initial.biases}) {
            for (RingMatrix& w : *part) {
                for (Ring& value : w.values) {
                    value = (random.next_u64() >> (63 - bits)) - (Ring{1} << bits);
                }
            }
        }
        const RingMatrix x = random_matrix(random, 1, shape.inputs(), 8);
        const RingMatrix y = encode(std::vector<double>{1, 0}, 1, 2, "y");
        for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
            run_local(
                [&](Party& party) {
                    Network network(party, shape, initial, options);
                    network.train_step(shared(party, x), shared(party, y));
                    const NetworkWeights got = network.reveal(party);
                    double square = 0;
                    size_t count = 0;
                    const auto add = [&](const RingMatrix& now, const RingMatrix& before) {
                        for (size_t i = 0; i < now.size(); ++i, ++count) {
                            square += std::pow(decode(now.values[i] - before.values[i]), 2);
                        }
                    };
                    for (size_t l = 0; l < initial.weights.size(); ++l) {
                        add(got.weights[l], initial.weights[l]);
                        add(got.biases[l], initial.biases[l]);
                    }
                    // The sum and the step are rounded.
                    EXPECT_LE(std::sqrt(square), kNorm + 3 * std::sqrt(count) / kOne)
                        << bits << " bits";
                },
                {.security = security});
        }
    }
}

TEST(Clipping, HoldsForWeightsOfAnySize) {
    expect_bound_for_weights_of_any_size({.widths = {5, 6, 2}, .image = {}, .layers = {}});
    expect_bound_for_weights_of_any_size(small_images());
}

// Weights whose products have a pool in them get noise of the same size as the others.
TEST(Clipping, NoiseOfConvolutionsHasTheDeviationOfThePlan) {
    using Kind = NetworkLayer::Kind;
    const NetworkShape shape{
        .widths = {},
        .image = {5, 5, 16},
        .layers = {{.kind = Kind::kConvolution, .outputs = 32, .kernel = 2},
                   {.kind = Kind::kAveragePool, .outputs = 0, .kernel = 2, .stride = 2},
                   {.kind = Kind::kDense, .outputs = 2}}};
    const TrainOptions options = {.batch_size = 1,
                                  .learning_rate = 1,
                                  .momentum = 0,
                                  .clipping_norm = 2,
                                  .noise_multiplier = 1.5};
    const RingMatrix x = encode(std::vector<double>(400, 0), 1, 400, "x");
    const RingMatrix y = encode(std::vector<double>{0.5, 0.5}, 1, 2, "y");
    run_local([&](Party& party) {
        Network network(party, shape, zero_weights(shape), options);
        network.train_step(shared(party, x), shared(party, y));
        const double expected = 1.5 * std::pow(network.noise_deviation_units() / kOne, 2);
        double variance = 0;
        const NetworkWeights got = network.reveal(party);
        const RingMatrix& w = got.weights[0];
        for (Ring value : w.values) {
            variance += decode(value) * decode(value) / static_cast<double>(w.size());
        }
        EXPECT_NEAR(variance / expected, 1, 7 * std::sqrt(2.0 / static_cast<double>(w.size())));
        // The sums, four times too large, have noise in their two lowest bits too.
        const RingMatrix sums = open(party, network.state().at(4));
        std::array<size_t, 4> counts{};
        for (Ring value : sums.values) ++counts[value % 4];
        for (size_t count : counts) EXPECT_GT(count, sums.size() / 5);
    });
}

TEST(Clipping, NoiseHasTheDeviationOfThePlan) {
    constexpr size_t kInputs = 4000;
    const NetworkShape shape{.widths = {kInputs, 1}, .image = {}, .layers = {}};
    const TrainOptions options = {.batch_size = 1,
                                  .learning_rate = 1,
                                  .momentum = 0,
                                  .clipping_norm = 2,
                                  .noise_multiplier = 1.5};
    const RingMatrix x = encode(std::vector<double>(kInputs, 0), 1, kInputs, "x");
    const RingMatrix y = encode(std::vector<double>{0.5}, 1, 1, "y");
    const double expected = 1.5 * 1.5 * std::pow(2 + std::sqrt(kInputs + 1.0) / kOne, 2);
    const auto variance = [&](const RingMatrix& weights) {
        double sum = 0;
        for (Ring w : weights.values) sum += decode(w) * decode(w) / kInputs;
        return sum;
    };
    // Three parties' noise, two of which are accounted; 7 deviations of a variance.
    const double tolerance = 7 * std::sqrt(2.0 / kInputs) * 1.5 * expected;
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                Network network(party, shape, zero_weights(shape), options);
                network.train_step(shared(party, x), shared(party, y));
                EXPECT_NEAR(variance(network.reveal(party).weights[0]), 1.5 * expected, tolerance);
            },
            {.security = security});
    }
    Twin twin(testonly::seeded_random(5));
    TwinNetwork network(twin, shape, zero_weights(shape), options);
    EXPECT_DOUBLE_EQ(network.noise_deviation_units(),
                     1.5 * (2 * kOne + std::sqrt(kInputs + 1.0)));  // the rounding of each weight
    network.train_step(x, y);
    EXPECT_NEAR(variance(network.weights()[0]), 1.5 * expected, tolerance);
}

}  // namespace
}  // namespace ward::mpc
