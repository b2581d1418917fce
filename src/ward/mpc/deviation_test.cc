// Parties that deviate: every message of every protocol is falsified in turn, and no wrong value
// may be output. WARD_MPC_DEVIATIONS sets the number of trials (10,000 take a few minutes).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ward/core/testing/seeded_random.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/functions.h"
#include "ward/mpc/join.h"
#include "ward/mpc/learn/network.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/noise.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"
#include "ward/mpc/softmax.h"
#include "ward/mpc/sort.h"
#include "ward/mpc/statistics.h"
#include "ward/mpc/testing/deviations.h"

namespace ward::mpc {
namespace {

using deviating::expect_caught;
using deviating::trials_or;

SharedMatrix shared(Party& party, int owner, const RingMatrix& values) {
    return share(party, owner, party.index() == owner ? &values : nullptr, values.rows,
                 values.cols);
}

void append(RingVector& to, const RingMatrix& from) {
    to.insert(to.end(), from.values.begin(), from.values.end());
}

// ---- the basic protocols

// All verified protocols, small: shares, products, divisions, comparisons, conversions, softmax.
RingVector everything(Party& party) {
    RingMatrix values(4, 3), more(3, 2);
    for (size_t i = 0; i < values.size(); ++i) values.values[i] = (i << 15) - (i * i << 12);
    for (size_t i = 0; i < more.size(); ++i) more.values[i] = (3 - i) << 16;
    const SharedMatrix x = share(party, 0, party.index() == 0 ? &values : nullptr, 4, 3);
    const SharedMatrix y = share(party, 2, party.index() == 2 ? &more : nullptr, 3, 2);
    const SharedMatrix z = relu(party, matmul_fixed(party, x, y), 32).value;
    const SharedMatrix probabilities = softmax(party, z);
    const SharedMatrix both = multiply(party, z, probabilities);
    const SharedBits sign = is_negative(party, both);
    RingVector out = open(party, both).values;
    const RingVector bits = open(party, sign);
    out.push_back(bits[0] & 0xff);  // of the 8 values
    const RingMatrix last = open_to(party, 1, z);
    out.insert(out.end(), last.values.begin(), last.values.end());
    return out;
}

// What `everything` opens, computed in the clear; divisions differ by their dither.
void expect_right(const RingVector& opened, const std::string& what) {
    ASSERT_GE(opened.size(), 9u) << what;
    for (size_t r = 0; r < 4; ++r) {
        double z[2] = {0, 0};
        for (size_t c = 0; c < 2; ++c) {
            for (size_t k = 0; k < 3; ++k) {
                const size_t i = 3 * r + k;
                z[c] += decode((i << 15) - (i * i << 12)) * (3.0 - static_cast<double>(2 * k + c));
            }
            z[c] = std::max(z[c], 0.0);
        }
        for (size_t c = 0; c < 2; ++c) {
            const double expected = z[c] / (1 + std::exp(z[1 - c] - z[c]));
            const double scale = static_cast<double>(kOne);
            ASSERT_NEAR(
                static_cast<double>(static_cast<int64_t>(opened[2 * r + c])) / scale / scale,
                expected, 1e-3)
                << what;
        }
    }
    ASSERT_EQ(opened[8], 0u) << what;  // no value is negative
}

TEST(Deviations, HonestPartiesOpenAlike) {
    const deviating::Outcome honest = deviating::run_with(everything, {});
    EXPECT_EQ(honest.opened[0], honest.opened[2]);
    EXPECT_EQ(honest.opened[1].size(), honest.opened[0].size() + 8);
}

TEST(Deviations, OfEveryMessageAreCaughtOrWithoutEffect) {
    expect_caught(everything, expect_right, trials_or(150));
}

// ---- tables

RingMatrix matrix(size_t cols, const RingVector& values) {
    RingMatrix out(values.size() / cols, cols);
    out.values = values;
    return out;
}

constexpr Ring kMinusOne = ~Ring{0};

// Rows opened in ascending order of the first column.
void append_ordered(RingVector& to, const RingMatrix& rows) {
    std::vector<size_t> order(rows.rows);
    for (size_t r = 0; r < rows.rows; ++r) order[r] = r;
    const Ring* values = rows.values.data();
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return values[a * rows.cols] < values[b * rows.cols]; });
    for (size_t r : order) {
        to.insert(to.end(), values + r * rows.cols, values + (r + 1) * rows.cols);
    }
}

// Shuffled, sorted, parted, joined, united: keys and, beside them, numbers of rows.
RingVector tables(Party& party) {
    const SharedMatrix x = shared(party, 0, matrix(2, {3, 0, kMinusOne, 1, 7, 2, 0, 3}));
    RingVector out;
    append_ordered(out, open(party, shuffle_rows(party, x)));
    append(out, open(party, sort_rows(party, x, 0, 8)));
    append(out, open(party, partition_rows(party, x, is_negative(party, select_columns(x, 0, 1)))));
    const SharedMatrix both[] = {shared(party, 1, matrix(3, {11, 5, 100, 22, 6, 101})),
                                 shared(party, 2, matrix(3, {22, 6, 201, 33, 7, 202}))};
    append(out, open(party, open_count_and_keep(party, inner_join(party, both))));
    append(out, open(party, keep_at_most(party, inner_join(party, both), 2)));
    append_ordered(out, open(party, open_count_and_keep(party, distinct_rows(party, both))));
    return out;
}

TEST(Deviations, OfTablesAreCaughtOrWithoutEffect) {
    const RingVector expected = {0,         3,   3,  0, 7, 2, kMinusOne, 1,  // by unsigned keys
                                 kMinusOne, 1,   0,  3, 3, 0, 7,         2,  // sorted
                                 kMinusOne, 1,   3,  0, 7, 2, 0,         3,  // parted
                                 101,       201,                             // joined
                                 101,       201, 1,  0, 0, 0,                // and filled up
                                 100,       101, 202};                       // united
    const auto exact = [&](const RingVector& opened, const std::string& what) {
        ASSERT_EQ(opened, expected) << what;
    };
    expect_caught(tables, exact, trials_or(40));
}

// ---- learning

NetworkShape small_images(NetworkLayer::Kind pool) {
    using Kind = NetworkLayer::Kind;
    return {.widths = {},
            .image = {3, 3, 1},
            .layers = {{.kind = Kind::kConvolution, .outputs = 2, .kernel = 2},
                       {.kind = Kind::kGroupNorm, .groups = 1},
                       {.kind = Kind::kRelu},
                       {.kind = pool, .outputs = 0, .kernel = 2, .stride = 1},
                       {.kind = Kind::kDense, .outputs = 2}}};
}

constexpr size_t kRows = 2;
constexpr Ring kUnit = Ring{1} << kFractionBits;

RingMatrix images() {
    RingMatrix out(kRows, 9);
    for (size_t i = 0; i < out.size(); ++i) out.values[i] = (i * 7 % 9) << 13;
    return out;
}
RingMatrix labels() { return matrix(2, {kUnit, 0, 0, kUnit}); }

TrainOptions options_of(Optimizer optimizer) {
    return {.batch_size = kRows, .learning_rate = 0.05, .optimizer = optimizer};
}

NetworkWeights initial(const NetworkShape& shape) {
    Random random = testonly::seeded_random(3);
    return initial_weights(shape, random);
}

// A step of each optimizer, with the pool of maxima and that of means.
constexpr std::pair<Optimizer, NetworkLayer::Kind> kSteps[] = {
    {Optimizer::kSgd, NetworkLayer::Kind::kMaxPool},
    {Optimizer::kAdam, NetworkLayer::Kind::kAveragePool}};

template <typename Weights>
void append_all(RingVector& to, const Weights& weights, const std::vector<RingMatrix>& biases) {
    for (const RingMatrix& w : weights) append(to, w);
    for (const RingMatrix& b : biases) append(to, b);
}

RingVector learned(Party& party) {
    RingVector out;
    for (const auto& [optimizer, pool] : kSteps) {
        const NetworkShape shape = small_images(pool);
        Network network(party, shape, initial(shape), options_of(optimizer));
        network.train_step(shared(party, 0, images()), shared(party, 1, labels()));
        const NetworkWeights got = network.reveal(party);
        append_all(out, got.weights, got.biases);
    }
    return out;
}

TEST(Deviations, OfStepsOfTrainingAreCaughtOrWithoutEffect) {
    RingVector expected;
    for (const auto& [optimizer, pool] : kSteps) {
        const NetworkShape shape = small_images(pool);
        Twin twin(testonly::seeded_random(5));
        TwinNetwork network(twin, shape, initial(shape), options_of(optimizer));
        network.train_step(images(), labels());
        append_all(expected, network.weights(), network.biases());
    }
    const auto near = [&](const RingVector& opened, const std::string& what) {
        ASSERT_EQ(opened.size(), expected.size()) << what;
        for (size_t i = 0; i < opened.size(); ++i) {
            // Where a gradient is nearly 0, a move of Adam is a matter of dither.
            ASSERT_NEAR(decode(opened[i]), decode(expected[i]), 0.11) << what << ", value " << i;
        }
    };
    expect_caught(learned, near, trials_or(18));
}

// A private step of a convolution and a dense layer. Noise of another size than was drawn may pass
// within its bound, which moves a weight by less than 0.01 here.
NetworkShape private_images() {
    using Kind = NetworkLayer::Kind;
    return {.widths = {},
            .image = {3, 3, 1},
            .layers = {{.kind = Kind::kConvolution, .outputs = 1, .kernel = 2},
                       {.kind = Kind::kRelu},
                       {.kind = Kind::kDense, .outputs = 2}}};
}

TrainOptions private_options() {
    TrainOptions options = options_of(Optimizer::kSgd);
    options.clipping_norm = 0.5;
    options.noise_multiplier = 0x1p-12;  // 8 units
    return options;
}

RingVector learned_privately(Party& party) {
    Network network(party, private_images(), initial(private_images()), private_options());
    network.train_step(shared(party, 0, images()), shared(party, 1, labels()));
    const NetworkWeights got = network.reveal(party);
    RingVector out;
    append_all(out, got.weights, got.biases);
    return out;
}

TEST(Deviations, OfPrivateStepsAreCaughtOrWithoutEffect) {
    Twin twin(testonly::seeded_random(5));
    TwinNetwork network(twin, private_images(), initial(private_images()), private_options());
    network.train_step(images(), labels());
    RingVector expected;
    append_all(expected, network.weights(), network.biases());
    const auto near = [&](const RingVector& opened, const std::string& what) {
        ASSERT_EQ(opened.size(), expected.size()) << what;
        for (size_t i = 0; i < opened.size(); ++i) {
            ASSERT_NEAR(decode(opened[i]), decode(expected[i]), 0.01) << what << ", value " << i;
        }
    };
    expect_caught(learned_privately, near, trials_or(18));
}

// ---- statistics and functions

const std::vector<double> kColumn = {0.5, 3, 1, 0.25, 2};

RingVector figures(Party& party) {
    const SharedMatrix x = shared(party, 2, encode(kColumn, kColumn.size(), 1, "x"));
    const SharedStatistics statistics =
        column_statistics(party, x, {.bound = 4, .edges = {0.75, 1.5}, .quantiles = {0.5}});
    RingVector out;
    for (const SharedMatrix* part :
         {&statistics.sums, &statistics.square_sums, &statistics.counts, &statistics.quantiles}) {
        append(out, open(party, *part));
    }
    append(out, open(party, divide(party, square_root(party, x), x)));
    append(out, open(party, hyperbolic_tan(party, x)));
    return out;
}

TEST(Deviations, OfStatisticsAndFunctionsAreCaughtOrWithoutEffect) {
    std::vector<double> expected = {6.75 / 4, 14.3125 / 16, 2, 1, 2, 1};
    for (double x : kColumn) expected.push_back(1 / std::sqrt(x));
    for (double x : kColumn) expected.push_back(std::tanh(x));
    const auto near = [&](const RingVector& opened, const std::string& what) {
        ASSERT_EQ(opened.size(), expected.size()) << what;
        for (size_t i = 0; i < opened.size(); ++i) {
            ASSERT_NEAR(decode(opened[i]), expected[i], 2e-3) << what << ", value " << i;
        }
    };
    expect_caught(figures, near, trials_or(24));
}

// ---- noise

constexpr double kSigma = 8;  // units
constexpr size_t kNoisy = 12;

// Values with noise, and statistics with some that is as small.
RingVector noisy(Party& party) {
    const SharedMatrix zeros = shared(party, 0, matrix(3, RingVector(kNoisy, Ring{0})));
    const SharedMatrix noise = discrete_gaussian_noise(party, kNoisy / 3, 3, kSigma);
    RingVector out = open(party, add(zeros, noise)).values;
    const SharedMatrix x = shared(party, 2, encode(kColumn, kColumn.size(), 1, "x"));
    const double multiplier = std::ldexp(kSigma, -kFractionBits);
    const SharedStatistics statistics =
        column_statistics(party, x, {.bound = 4, .edges = {1.5}, .noise_multiplier = multiplier});
    append(out, open(party, statistics.sums));
    append(out, open(party, statistics.counts));
    return out;
}

// A party may choose another part of the noise than it has drawn, within the bound that is
// verified: twice B for the one, 8 deviations for the rest.
TEST(Deviations, OfNoiseAreCaughtOrBounded) {
    const std::vector<double> figures = {6.75 / 4, 3, 2};
    const auto bounded = [&](const RingVector& opened, const std::string& what) {
        ASSERT_EQ(opened.size(), kNoisy + figures.size()) << what;
        const auto most = [](size_t count, double sigma) {
            return static_cast<double>(2 * internal::noise_bound(count, sigma)) + 10 * sigma;
        };
        for (size_t i = 0; i < kNoisy; ++i) {
            ASSERT_LE(std::abs(decode(opened[i])) * kOne, most(kNoisy, kSigma)) << what;
        }
        const double sigma = kSigma * std::sqrt(3.0) * (1 + 0x1p-13);
        for (size_t i = 0; i < figures.size(); ++i) {
            ASSERT_NEAR(decode(opened[kNoisy + i]), figures[i], most(4, sigma) / kOne + 1e-3)
                << what;
        }
    };
    expect_caught(noisy, bounded, trials_or(40));
}

}  // namespace
}  // namespace ward::mpc
