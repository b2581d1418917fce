#include "ward/he/infer/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <functional>
#include <numbers>

#include <cmath>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/infer/internal/fit.h"
#include "ward/he/testing/small_models.h"

namespace ward::he {
namespace {

using model::Shape;
using testing::HasSubstr;
using testonly::random_example;
using testonly::random_model;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;

// A forward pass layer by layer, by the definitions of spec.h.
struct Naive {
    const model::Model& m;
    std::vector<double> x;
    Shape shape;

    double weight(const std::string& name, int64_t i) const { return m.weights.at(name).values[i]; }
    double at(int64_t c, int64_t y, int64_t z) const {
        if (y < 0 || z < 0 || y >= shape[1] || z >= shape[2]) return 0;
        return x[(c * shape[1] + y) * shape[2] + z];
    }

    void step(const std::string& n, const model::Conv2d& k, const Shape& out) {
        std::vector<double> y;
        const int64_t in = shape[0] / k.groups, per = k.out_channels / k.groups;
        for (int64_t o = 0; o < out[0]; ++o)
            for (int64_t r = 0; r < out[1]; ++r)
                for (int64_t s = 0; s < out[2]; ++s) {
                    double sum = k.bias ? weight(n + ".bias", o) : 0;
                    for (int64_t c = 0; c < in; ++c)
                        for (int64_t a = 0; a < k.kernel; ++a)
                            for (int64_t b = 0; b < k.kernel; ++b)
                                sum += weight(n + ".weight",
                                              ((o * in + c) * k.kernel + a) * k.kernel + b) *
                                       at(o / per * in + c, r * k.stride + a - k.padding,
                                          s * k.stride + b - k.padding);
                    y.push_back(sum);
                }
        x = y;
    }
    void step(const std::string&, const model::AvgPool2d& k, const Shape& out) {
        std::vector<double> y;
        for (int64_t o = 0; o < out[0]; ++o)
            for (int64_t r = 0; r < out[1]; ++r)
                for (int64_t s = 0; s < out[2]; ++s) {
                    double sum = 0;
                    for (int64_t a = 0; a < k.kernel; ++a)
                        for (int64_t b = 0; b < k.kernel; ++b)
                            sum +=
                                at(o, r * k.stride + a - k.padding, s * k.stride + b - k.padding);
                    y.push_back(sum / static_cast<double>(k.kernel * k.kernel));
                }
        x = y;
    }
    void step(const std::string&, const model::GlobalAvgPool2d&, const Shape&) {
        std::vector<double> y;
        const int64_t places = shape[1] * shape[2];
        for (int64_t c = 0; c < shape[0]; ++c) {
            double sum = 0;
            for (int64_t i = 0; i < places; ++i) sum += x[c * places + i];
            y.push_back(sum / static_cast<double>(places));
        }
        x = y;
    }
    void step(const std::string& n, const model::Linear& k, const Shape&) {
        std::vector<double> y;
        const auto in = static_cast<int64_t>(x.size());
        for (int64_t o = 0; o < k.out_features; ++o) {
            double sum = k.bias ? weight(n + ".bias", o) : 0;
            for (int64_t i = 0; i < in; ++i) sum += weight(n + ".weight", o * in + i) * x[i];
            y.push_back(sum);
        }
        x = y;
    }
    void step(const std::string&, const model::Activation& k, const Shape&) {
        for (double& v : x) {
            v = k.function == model::Activation::Function::kSquare ? v * v : std::tanh(v);
        }
    }
    template <typename Other>
    void step(const std::string&, const Other&, const Shape&) {}

    void step(const std::string& n, const model::Residual& block, const Shape&) {
        const std::vector<double> before = x;
        const Shape before_shape = shape;
        walk(block.body, n + ".body.");
        const std::vector<double> body = x;
        x = before;
        shape = before_shape;
        walk(block.shortcut, n + ".shortcut.");
        for (size_t i = 0; i < x.size(); ++i) x[i] += body[i];
    }

    void walk(const std::vector<model::LayerSpec>& layers, const std::string& prefix) {
        for (const auto& layer : layers) {
            const Shape out = model::output_shape(layer, shape);
            std::visit([&](const auto& k) { step(prefix + layer.name, k, out); }, layer.kind);
            shape = out;
        }
    }

    std::vector<double> run() {
        walk(m.spec.layers, "");
        return x;
    }
};

std::vector<double> naive(const model::Model& m, const std::vector<double>& x) {
    return Naive{m, x, m.spec.input_shape}.run();
}

const model::Activation kSquare{model::Activation::Function::kSquare};
const model::Activation kTanh{model::Activation::Function::kTanh};

model::Model image_model(Random& random) {
    return random_model("image", {2, 8, 8}, 3,
                        {{"c1", model::Conv2d{4, 3, 2, 1, 2, true}},
                         {"a1", kSquare},
                         {"p1", model::AvgPool2d{2, 2, 1}},
                         {"c2", model::Conv2d{4, 2, 1, 0, 1, false}},
                         {"d", model::Dropout{0.5}},
                         {"a2", kSquare},
                         {"f", model::Flatten{}},
                         {"l1", model::Linear{5, true, ""}},
                         {"l2", model::Linear{3, false, ""}}},
                        random);
}

TEST(Network, MatchesTheLayersItWasMadeOf) {
    Random random = seeded_random(1);
    const model::Model m = image_model(random);
    const Network network = lower(m);
    ASSERT_EQ(network.stages.size(), 3u);
    EXPECT_EQ(network.stages[1].name, "p1+c2");
    EXPECT_EQ(network.stages[1].stride, 2);
    EXPECT_EQ(network.stages[2].name, "l1+l2");
    EXPECT_EQ(network.depth(), 5);
    for (int trial = 0; trial < 5; ++trial) {
        const auto x = random_example(m, random);
        const auto expected = naive(m, x), got = evaluate(network, x);
        ASSERT_EQ(got.size(), expected.size());
        for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-9);
    }
}

TEST(Network, PoolsBeforeOtherLayersTakeSumsOnly) {
    Random random = seeded_random(6);
    const model::Model m = random_model("pools", {2, 9, 10}, 3,
                                        {{"p1", model::AvgPool2d{2, 2, 0}},
                                         {"c1", model::Conv2d{3, 2, 1, 0, 1, true}},
                                         {"a1", kSquare},
                                         {"p2", model::AvgPool2d{2, 2, 0}},
                                         {"f", model::Flatten{}},
                                         {"l", model::Linear{3, true, ""}}},
                                        random);
    const Network network = lower(m);
    ASSERT_EQ(network.stages.size(), 2u);
    EXPECT_EQ(network.stages[0].pool, 2);
    EXPECT_EQ(network.stages[0].stride, 2);
    EXPECT_EQ(network.stages[1].pool, 2);
    std::vector<Interval> range(static_cast<size_t>(network.inputs), Interval{-1, 1});
    range = propagate(network.stages[0], std::vector<std::vector<Interval>>{range});
    for (Interval& v : range) v = apply(network.stages[0].activation, v);
    range = propagate(network.stages[1], std::vector<std::vector<Interval>>{range});
    for (int trial = 0; trial < 5; ++trial) {
        const auto x = random_example(m, random);
        const auto expected = naive(m, x), got = evaluate(network, x);
        for (size_t i = 0; i < got.size(); ++i) {
            EXPECT_NEAR(got[i], expected[i], 1e-9);
            EXPECT_GE(got[i], range[i].low);
            EXPECT_LE(got[i], range[i].high);
        }
    }
}

// Blocks whose body ends in a linear layer, in an activation, or has none; with and without layers
// in the shortcut; a block within a block; linear layers before and behind.
TEST(Network, BlocksAddWhatTheyBeganWith) {
    const model::LayerSpec conv_a{"a", model::Conv2d{3, 3, 1, 1, 1, true}};
    const model::LayerSpec conv_b{"b", model::Conv2d{3, 3, 1, 1, 1, false}};
    const model::LayerSpec square{"s", kSquare};
    const model::LayerSpec narrow{"n", model::Conv2d{4, 2, 2, 0, 1, true}};
    const model::LayerSpec project{"p", model::Conv2d{4, 1, 2, 0, 1, true}};
    const model::LayerSpec inner{"i", model::Residual{{conv_a, square}, {}}};
    const std::vector<std::pair<std::vector<model::LayerSpec>, std::vector<model::LayerSpec>>>
        blocks = {{{conv_a, square, conv_b}, {}},
                  {{conv_a, square}, {}},
                  {{conv_a, conv_b}, {}},
                  {{square, conv_a}, {}},
                  {{conv_a, square, narrow}, {project}},
                  {{inner, square, conv_b}, {}}};
    for (const auto& [body, shortcut] : blocks) {
        Random random = seeded_random(11);
        const model::Model m = random_model(
            "blocks", {2, 6, 6}, 3,
            {{"first", model::Conv2d{3, 3, 1, 1, 1, true}},
             {"block", model::Residual{body, shortcut}},
             {"mean", model::AvgPool2d{2, 1, 0}},
             {"act", kSquare},
             {"again",
              model::Residual{
                  {{"c", model::Conv2d{body.back().name == "n" ? 4 : 3, 1, 1, 0, 1, true}}, square},
                  {}}},
             {"f", model::Flatten{}},
             {"l", model::Linear{3, true, ""}}},
            random);
        const Network network = lower(m);
        const std::vector<Interval> input(static_cast<size_t>(network.inputs), Interval{-1, 1});
        std::vector<std::vector<Interval>> operands = {input};
        for (const Stage& stage : network.stages) {
            auto units = propagate(stage, operands);
            if (stage.has_activation) {
                for (Interval& v : units) v = apply(stage.activation, v);
            }
            operands.push_back(std::move(units));
        }
        for (int trial = 0; trial < 3; ++trial) {
            const auto x = random_example(m, random);
            const auto expected = naive(m, x), got = evaluate(network, x);
            ASSERT_EQ(got.size(), expected.size());
            for (size_t i = 0; i < got.size(); ++i) {
                EXPECT_NEAR(got[i], expected[i], 1e-9);
                EXPECT_GE(got[i], operands.back()[i].low);
                EXPECT_LE(got[i], operands.back()[i].high);
            }
        }
    }
}

TEST(Network, ShortcutsAreLinear) {
    Random random = seeded_random(12);
    const model::Model m = random_model(
        "curved", {4}, 4,
        {{"b", model::Residual{{{"l", model::Linear{4, true, ""}}}, {{"s", kSquare}}}}}, random);
    EXPECT_THAT(any_message_of([&] { lower(m); }), HasSubstr("b.shortcut.s: activation"));
}

TEST(Network, PoolsOverTheWholeImage) {
    Random random = seeded_random(2);
    const model::Model m = random_model(
        "global", {2, 5, 4}, 2,
        {{"g", model::GlobalAvgPool2d{}}, {"l", model::Linear{2, true, ""}}, {"a", kSquare}},
        random);
    const Network network = lower(m);
    const auto x = random_example(m, random);
    const auto expected = naive(m, x), got = evaluate(network, x);
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-9);
}

TEST(Network, OtherActivationsBecomePolynomialsWhereTheyWork) {
    Random random = seeded_random(3);
    const model::Model m = random_model(
        "tanh", {6}, 2,
        {{"l1", model::Linear{8, true, ""}}, {"a", kTanh}, {"l2", model::Linear{2, true, ""}}},
        random);
    std::vector<float> examples;
    for (int i = 0; i < 50; ++i) {
        for (double v : random_example(m, random)) examples.push_back(static_cast<float>(v));
    }
    const Network network = lower(m, {.activation_degree = 9, .calibration = examples});
    EXPECT_EQ(network.stages[0].activation.function, "tanh");
    EXPECT_LT(network.stages[0].activation.fit_error, 1e-3);
    for (int i = 0; i < 10; ++i) {
        const auto x = random_example(m, random);
        const auto expected = naive(m, x), got = evaluate(network, x);
        for (size_t k = 0; k < got.size(); ++k) EXPECT_NEAR(got[k], expected[k], 2e-2);
    }
    EXPECT_THAT(any_message_of([&] { lower(m); }), HasSubstr("needs calibration examples"));
}

TEST(Network, FitsBestWhereTheSamplesAre) {
    const auto relu = [](double x) { return std::max(x, 0.0); };
    std::vector<double> near_zero;
    for (int i = -50; i <= 50; ++i) near_zero.push_back(i / 50.0);
    const auto focused = internal::fit_activation(relu, near_zero, 10, 7);
    const auto even = internal::fit_activation(relu, {}, 10, 7);
    double focused_error = 0, even_error = 0, far_error = 0;
    for (double x : near_zero) {
        focused_error += std::abs(focused(x) - relu(x));
        even_error += std::abs(even(x) - relu(x));
    }
    for (double x : {-9.0, -5.0, 5.0, 9.0}) {
        far_error = std::max(far_error, std::abs(focused(x) - relu(x)));
    }
    EXPECT_LT(focused_error, even_error / 2);
    EXPECT_LT(far_error, 5.0);
    EXPECT_EQ(focused.depth(), 3);
}

TEST(Network, IntervalsHoldWhatUnitsTake) {
    Random random = seeded_random(4);
    const model::Model m = image_model(random);
    const Network network = lower(m);
    std::vector<Interval> range(static_cast<size_t>(network.inputs), Interval{-1, 1});
    std::vector<std::vector<Interval>> ranges;
    for (const Stage& stage : network.stages) {
        range = propagate(stage, std::vector<std::vector<Interval>>{range});
        if (stage.has_activation) {
            for (Interval& x : range) x = apply(stage.activation, x);
        }
    }
    for (int i = 0; i < 20; ++i) {
        const auto y = evaluate(network, random_example(m, random));
        for (size_t k = 0; k < y.size(); ++k) {
            EXPECT_GE(y[k], range[k].low);
            EXPECT_LE(y[k], range[k].high);
        }
    }
    const PolynomialActivation square{"square", {}, 1, 0, 0};
    EXPECT_EQ(apply(square, {-2, 1}).low, 0);
    EXPECT_EQ(apply(square, {-2, 1}).high, 4);
    EXPECT_EQ(apply(square, {-3, -2}).low, 4);
    EXPECT_EQ(apply(square, {-3, -2}).high, 9);
}

TEST(Network, SaysWhichLayerHasNoEncryptedForm) {
    Random random = seeded_random(5);
    const model::Model pool =
        random_model("pool", {1, 4, 4}, 4,
                     {{"top", model::MaxPool2d{2, 2, 0}}, {"f", model::Flatten{}}}, random);
    EXPECT_THAT(any_message_of([&] { lower(pool); }),
                HasSubstr("top: max_pool2d has no encrypted form"));
    const model::Model m = image_model(random);
    EXPECT_THAT(any_message_of([&] { lower(m, {.activation_degree = 1}); }),
                HasSubstr("activation_degree must be 2..31"));
    const std::vector<float> odd(5);
    EXPECT_THAT(any_message_of([&] { lower(m, {.calibration = odd}); }),
                HasSubstr("128 inputs each"));
    EXPECT_THAT(any_message_of([&] { evaluate(lower(m), std::vector<double>(3)); }),
                HasSubstr("takes 128 inputs, got 3"));
}

SparseMatrix dense(int64_t rows, int64_t columns,
                   const std::function<double(int64_t, int64_t)>& at) {
    SparseMatrix m;
    m.rows = rows;
    m.columns = columns;
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
            m.column.push_back(static_cast<int32_t>(j));
            m.value.push_back(at(i, j));
        }
        m.start.push_back(m.entries());
    }
    return m;
}

// Matrices whose largest singular value is known.
TEST(Network, NormsAreBounded) {
    const auto expect_norm = [](const SparseMatrix& m, double norm) {
        EXPECT_GE(norm_bound(m), norm * (1 - 1e-9));
        EXPECT_LE(norm_bound(m), 1.6 * norm);
    };
    expect_norm(dense(30, 50, [](int64_t, int64_t) { return 0.5; }), 0.5 * std::sqrt(30 * 50.0));
    expect_norm(dense(40, 40, [](int64_t i, int64_t j) { return i == j ? i + 1.0 : 0.0; }), 40);
    // An orthogonal one: the discrete cosine transform.
    expect_norm(dense(64, 64,
                      [](int64_t i, int64_t j) {
                          const double scale = i == 0 ? std::sqrt(1.0 / 64) : std::sqrt(2.0 / 64);
                          return scale * std::cos(std::numbers::pi * (j + 0.5) * i / 64);
                      }),
                1);
    EXPECT_EQ(norm_bound(dense(3, 3, [](int64_t, int64_t) { return 0.0; })), 0);
}

}  // namespace
}  // namespace ward::he
