#include "ward/attack/label_only.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ward/attack/testing/linear_target.h"
#include "ward/core/testing/errors.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

// Spearman's rank correlation.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
    const auto ranks = [](const std::vector<double>& v) {
        std::vector<size_t> order(v.size());
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t i, size_t j) { return v[i] < v[j]; });
        std::vector<double> rank(v.size());
        for (size_t k = 0; k < order.size(); ++k) rank[order[k]] = double(k);
        return rank;
    };
    const auto ra = ranks(a), rb = ranks(b);
    const double mean = double(a.size() - 1) / 2;
    double ab = 0, aa = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        ab += (ra[i] - mean) * (rb[i] - mean);
        aa += (ra[i] - mean) * (ra[i] - mean);
    }
    return ab / aa;
}

class LabelOnly : public ::testing::Test {
  protected:
    const testonly::LinearModel model_ = testonly::LinearModel::make(2, 12, 3);
    Target target_ = model_.target(Access::kLabels);  // anything but labels is refused
    const at::Tensor x_ = testonly::middle_points(60, 12, 4);
    const at::Tensor population_ = testonly::middle_points(200, 12, 5);
    at::Tensor y_ = target_.labels(x_).clone();

    std::vector<double> true_distances() const {
        std::vector<double> result;
        for (int64_t i = 0; i < x_.size(0); ++i)
            result.push_back(model_.distance(x_[i], y_[i].item<int64_t>(), 2));
        return result;
    }
};

TEST_F(LabelOnly, NoiseOrdersAsTheDistanceDoes) {
    const auto scores = noise_robustness(target_, x_, y_, population_, {.draws = 32});
    EXPECT_GT(rank_correlation(scores, true_distances()), 0.9);
    EXPECT_EQ(scores, noise_robustness(target_, x_, y_, population_, {.draws = 32}));
}

TEST_F(LabelOnly, BoundaryIsTheDistance) {
    const auto found = boundary_distances(target_, x_, y_, population_, {.steps = 5});
    const auto exact = true_distances();
    double excess = 0;
    for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_GE(found[i], exact[i] * (1 - 1e-4)) << "a nearer point cannot be";
        excess += found[i] / exact[i] / double(found.size());
    }
    EXPECT_LT(excess, 1.3);
    EXPECT_GT(rank_correlation(found, exact), 0.95);
}

TEST_F(LabelOnly, WrongExamplesAreBelowAllOthers) {
    y_[7] = 1 - y_[7];
    for (const auto& scores : {noise_robustness(target_, x_, y_, population_, {.draws = 2}),
                               boundary_distances(target_, x_, y_, population_, {.steps = 1})}) {
        EXPECT_EQ(scores[7], -1);
        EXPECT_EQ(std::count(scores.begin(), scores.end(), -1), 1);
    }
}

// Inputs of two values stay among these two: the target sees nothing else.
TEST_F(LabelOnly, BinaryInputsAreFlipped) {
    const at::Tensor bits = (population_ > population_.mean(0)).to(at::kFloat);
    int64_t flipped = 0, all = 0;
    Target target(
        [&](const at::Tensor& x) {
            EXPECT_TRUE(((x == 0) | (x == 1)).all().item<bool>());
            const at::Tensor other = x != bits.narrow(0, 0, x.size(0));
            flipped += other.sum().item<int64_t>();
            all += x.numel();
            return at::stack({x.select(1, 0), x.select(1, 1)}, 1);
        },
        Access::kLabels);
    const at::Tensor x = bits.narrow(0, 0, 50);
    noise_robustness(target, x, target.labels(x), bits, {.draws = 8});
    const double share = double(flipped) / double(all);
    EXPECT_NEAR(share, 0.05 * 12.75 / 8, 0.01) << "the mean over the ladder";
}

// What the target sees of an image with one bright pixel: 24 shifts move it whole, and 14 rotations
// turn it around the middle.
TEST(LabelAugment, ShiftsByWholePixelsAndTurnsAroundTheMiddle) {
    at::Tensor x = torch::zeros({1, 1, 9, 9});
    x[0][0][4][5] = 1;
    std::vector<std::pair<int64_t, int64_t>> places;
    int64_t turned = 0;
    Target target(
        [&](const at::Tensor& image) {
            const at::Tensor bright = (image[0][0] > 0.999).nonzero();
            if (bright.size(0) == 1) {
                places.emplace_back(bright[0][0].item<int64_t>() - 4,
                                    bright[0][1].item<int64_t>() - 5);
            } else {
                const at::Tensor weight = image[0][0] / image.sum();
                const at::Tensor line = torch::arange(9, at::kFloat) - 4;
                const double down = (weight.sum(1) * line).sum().item<double>();
                const double across = (weight.sum(0) * line).sum().item<double>();
                EXPECT_NEAR(std::hypot(down, across), 1, 0.1);
                ++turned;
            }
            return torch::tensor({{1.0f, 0.0f}}).expand({image.size(0), 2});
        },
        Access::kLabels);
    const std::vector<double> scores =
        augmentation_robustness(target, x, torch::zeros({1}, at::kLong));
    EXPECT_EQ(scores, std::vector<double>{1});
    EXPECT_EQ(turned, 14);
    // The image itself and each shift once.
    std::sort(places.begin(), places.end());
    EXPECT_EQ(std::unique(places.begin(), places.end()), places.end());
    for (const auto& [down, across] : places)
        EXPECT_LE(std::abs(down) + std::abs(across), 3) << down << " " << across;
    EXPECT_EQ(places.size() + static_cast<size_t>(turned), 39u);
}

// Class 1 says that a block stands far enough to the right: the nearer it is to the border between
// the classes, the fewer shifts leave it there.
TEST(LabelAugment, OrdersAsTheDistanceDoes) {
    at::Tensor x = torch::zeros({5, 1, 12, 12});
    for (int64_t i = 0; i < 5; ++i) x[i][0].narrow(0, 4, 3).narrow(1, 4 + i, 2).fill_(1);
    Target target(
        [](const at::Tensor& image) {
            const at::Tensor line = torch::arange(12, at::kFloat);
            const at::Tensor middle =
                (image.flatten(1, 2).sum(1) * line).sum(1) / image.flatten(1).sum(1);
            return at::stack({torch::full_like(middle, 5.2), middle}, 1);
        },
        Access::kLabels);
    at::Tensor y = torch::ones({5}, at::kLong);
    const std::vector<double> scores = augmentation_robustness(target, x, y);
    EXPECT_EQ(scores[0], -1) << "on the wrong side";
    for (size_t i = 2; i < 5; ++i) EXPECT_GT(scores[i], scores[i - 1]);
    EXPECT_EQ(target.counts().forward, 5 * 39);
    EXPECT_THAT(message_of([&] { augmentation_robustness(target, x.flatten(1), y); },
                           ErrorCode::kUnsupported),
                HasSubstr("for images"));
}

// The box is what points are looked for in, and the scale of what is not found.
TEST_F(LabelOnly, BoxOfTheBoundary) {
    const Box own = box_of(x_, population_);
    const LabelOnlyOptions given{.steps = 1, .box = own};
    EXPECT_EQ(boundary_distances(target_, x_, y_, population_, {.steps = 1}),
              boundary_distances(target_, x_, y_, population_, given));
    Target constant(
        [](const at::Tensor& x) {
            return torch::tensor({{1.0f, 0.0f}}).expand({x.size(0), 2});
        },
        Access::kLabels);
    const auto distances = boundary_distances(constant, x_, torch::zeros({60}, at::kLong),
                                              population_, {.steps = 1, .box = Box{-1, 3}});
    for (const double distance : distances) EXPECT_DOUBLE_EQ(distance, 8 * std::sqrt(12));
    const LabelOnlyOptions narrow{.steps = 1, .box = Box{0.49, 0.5}};
    EXPECT_THAT(message_of([&] { boundary_distances(target_, x_, y_, population_, narrow); }),
                HasSubstr("must lie in the box 0.49"));
}

TEST_F(LabelOnly, RefusesWhatDoesNotFit) {
    EXPECT_THAT(message_of([&] { noise_robustness(target_, x_, y_, population_, {.draws = 0}); },
                           ErrorCode::kUsage),
                HasSubstr("at least 1 draw"));
    EXPECT_THAT(message_of([&] { boundary_distances(target_, x_, y_.narrow(0, 0, 3), x_, {}); }),
                HasSubstr("one label per example"));
}

}  // namespace
}  // namespace ward::attack
