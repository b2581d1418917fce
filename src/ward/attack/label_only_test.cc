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
    const auto scores = noise_robustness(target_, x_, y_, population_, {});
    EXPECT_GT(rank_correlation(scores, true_distances()), 0.9);
    EXPECT_EQ(scores, noise_robustness(target_, x_, y_, population_, {}));
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

TEST_F(LabelOnly, RefusesWhatDoesNotFit) {
    EXPECT_THAT(message_of([&] { noise_robustness(target_, x_, y_, population_, {.draws = 0}); },
                           ErrorCode::kUsage),
                HasSubstr("at least 1 draw"));
    EXPECT_THAT(message_of([&] { boundary_distances(target_, x_, y_.narrow(0, 0, 3), x_, {}); }),
                HasSubstr("one label per example"));
}

}  // namespace
}  // namespace ward::attack
