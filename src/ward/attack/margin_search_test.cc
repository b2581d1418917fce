// Attacks that weigh a margin against a distance: on a linear model of two classes the least
// distance in every norm is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ward/attack/evasion.h"
#include "ward/attack/internal/margin_search.h"
#include "ward/attack/testing/linear_target.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

const bool kQuiet = [] {
    set_progress_mode(ProgressMode::kOff);
    return true;
}();

using ::testing::HasSubstr;
using testonly::LinearModel;
using testonly::middle_points;
using ward::testonly::message_of;

constexpr int64_t kFeatures = 36, kExamples = 40;
constexpr int64_t kMostCalls = 20000;  // several times what any attack here may need

// Ends a search that does not end by itself.
Target limited(const LinearModel& model, Access access = Access::kWhiteBox) {
    return Target(
        [&model, calls = int64_t{0}](const at::Tensor& rows) mutable {
            if (++calls > kMostCalls)
                throw Error(ErrorCode::kInternal, "the attack does not come to an end");
            return model.logits(rows);
        },
        access);
}

// All of class 0, far enough from the boundary for steps of the attacks' own size.
struct Setting {
    Setting() {
        model.bias[0] += 1;
        points.y = model.logits(x).argmax(1);
    }

    LinearModel model = LinearModel::make(2, kFeatures, 7);
    at::Tensor x = middle_points(kExamples, kFeatures, 8);
    Points points{x, at::Tensor(), at::Tensor()};

    EvasionResult attack(const std::string& name, const EvasionOptions& options,
                         Access access = Access::kWhiteBox) const {
        Target target = limited(model, access);
        return evade(target, *make_attack(name, options), points, options);
    }

    double mean_distance(double dual) const {
        double mean = 0;
        for (int64_t i = 0; i < kExamples; ++i)
            mean += model.distance(x[i], points.y[i].item<int64_t>(), dual) / kExamples;
        return mean;
    }

    // Everything is fooled, at this many times the least distance on the mean.
    void expect_near(const EvasionResult& result, double dual, double most) const {
        EXPECT_EQ(result.robust_accuracy, 0);
        EXPECT_EQ(result.rejected, 0);
        EXPECT_GT(result.mean_norm, 0.999 * mean_distance(dual));
        EXPECT_LT(result.mean_norm, most * mean_distance(dual));
    }
};

TEST(MarginSearch, EadFindsTheSparseNearestPoint) {
    const Setting s;
    const EvasionOptions options{.norm = Norm::kL1, .epsilon = 100, .steps = 200};
    const EvasionResult result = s.attack("ead", options);
    s.expect_near(result, INFINITY, 1.15);
    // Shrinkage sets inputs back exactly: the nearest point in L1 changes few of them.
    const at::Tensor changed = (result.adversarial - s.x != 0).to(at::kDouble).sum(1);
    EXPECT_LT(changed.mean().item<double>(), 0.25 * kFeatures);
    EXPECT_THAT(
        message_of([] { make_attack("ead", {.norm = Norm::kL2}); }, ErrorCode::kUnsupported),
        HasSubstr("l1 only"));
}

TEST(MarginSearch, CarliniWagnerFindsTheNearestPoint) {
    const Setting s;
    const EvasionOptions options{.norm = Norm::kL2, .epsilon = 100};
    const EvasionResult result = s.attack("cw", options);
    s.expect_near(result, 2, 1.01);
    EXPECT_LE(result.backward_per_example, 9 * 201);
    // Also where few steps are allowed, and none of the constants of the paper is near.
    Setting steep;
    steep.model.weight *= 1000;
    steep.model.bias *= 1000;
    steep.expect_near(
        steep.attack("cw", {.norm = Norm::kL2, .epsilon = 100, .steps = 100, .restarts = 3}), 2,
        1.15);
}

// Each example has constants and an end of its own: what stands beside it changes nothing.
TEST(MarginSearch, CarliniWagnerTreatsExamplesAlone) {
    const Setting s;
    const EvasionOptions options{.norm = Norm::kL2, .epsilon = 100, .steps = 60};
    const EvasionResult all = s.attack("cw", options);
    double backward = 0;
    for (int64_t i = 0; i < kExamples; ++i) {
        Target target = limited(s.model);
        const auto one = evade(target, *make_attack("cw", options),
                               s.points.select(torch::tensor({i})), options);
        EXPECT_TRUE(at::allclose(one.adversarial[0], all.adversarial[i], 0, 2e-3)) << i;
        backward += one.backward_per_example / kExamples;
    }
    EXPECT_NEAR(all.backward_per_example, backward, 0.05 * backward);
}

TEST(MarginSearch, CarliniWagnerReachesTheWantedClass) {
    const LinearModel model = LinearModel::make(5, kFeatures, 7);
    const at::Tensor x = middle_points(kExamples, kFeatures, 8);
    Points points{x, model.logits(x).argmax(1), at::Tensor()};
    points = points.select((points.y != 3).nonzero().flatten());
    points.wanted = torch::full_like(points.y, 3);
    const EvasionOptions options{.norm = Norm::kL2, .epsilon = 100};
    Target target = limited(model);
    const auto result = evade(target, *make_attack("cw", options), points, options);
    EXPECT_EQ(result.robust_accuracy, 0);
    EXPECT_TRUE((target.labels(result.adversarial) == 3).all().item<bool>());
}

TEST(MarginSearch, APlateauIsWhereNothingLowerWasFound) {
    Plateau falling(50), wandering(50);
    std::vector<int64_t> ends;
    for (int64_t step = 0; step <= 30; ++step) {
        EXPECT_FALSE(falling.reached(step, 1 - 1e-3 * double(step)));
        if (wandering.reached(step, step < 12 ? 10.0 - double(step) : 5.0 + double(step % 2)))
            ends.push_back(step);
    }
    EXPECT_EQ(wandering.window(), 5);
    // Up to step 10 something lower is found; from 11 on the least is what step 11 has found.
    EXPECT_THAT(ends, ::testing::ElementsAre(20, 25, 30));
}

TEST(MarginSearch, CarliniWagnerLinfIsNearlyExact) {
    const Setting s;
    const EvasionOptions options{.norm = Norm::kLinf, .epsilon = 100, .steps = 200};
    s.expect_near(s.attack("cw", options), 1, 1.12);
    EXPECT_THAT(message_of([] { make_attack("cw", {.norm = Norm::kL1}); }, ErrorCode::kUnsupported),
                HasSubstr("l2 and linf"));
}

TEST(MarginSearch, CarliniWagnerLinfReachesTheWantedClass) {
    const LinearModel model = LinearModel::make(5, kFeatures, 7);
    const at::Tensor x = middle_points(kExamples, kFeatures, 8);
    Points points{x, model.logits(x).argmax(1), at::Tensor()};
    points = points.select((points.y != 3).nonzero().flatten());
    points.wanted = torch::full_like(points.y, 3);
    const EvasionOptions options{.norm = Norm::kLinf, .epsilon = 1, .steps = 200};
    Target target = limited(model);
    const auto result = evade(target, *make_attack("cw", options), points, options);
    EXPECT_EQ(result.robust_accuracy, 0);
    EXPECT_TRUE((target.labels(result.adversarial) == 3).all().item<bool>());
}

TEST(MarginSearch, ZooNeedsScoresOnlyAndComesNear) {
    const Setting s;
    const EvasionOptions options{
        .norm = Norm::kL2, .epsilon = 100, .steps = 150, .restarts = 6, .seed = 3};
    const EvasionResult result = s.attack("zoo", options, Access::kScores);
    s.expect_near(result, 2, 1.1);
    EXPECT_EQ(result.backward_per_example, 0);
    EXPECT_LT(result.forward_per_example, 6 * 150 * (2 * kFeatures + 1) / 2.0);
    // The same seed, the same points.
    EXPECT_TRUE(
        at::equal(s.attack("zoo", options, Access::kScores).adversarial, result.adversarial));
    EXPECT_THAT(message_of([&] { s.attack("zoo", options, Access::kLabels); }, ErrorCode::kRefused),
                HasSubstr("needs more"));
    EXPECT_THAT(message_of([] { make_attack("zoo", {}); }, ErrorCode::kUnsupported),
                HasSubstr("l2 only"));
}

TEST(MarginSearch, WeightsAreBisected) {
    MarginWeight weight(0.01);
    std::vector<double> tried;
    for (const bool fooled : {false, false, true, false, true}) {
        tried.push_back(weight.value());
        weight.update(fooled);
    }
    EXPECT_THAT(tried, ::testing::ElementsAre(0.01, 0.1, 1.0, 0.55, 0.775));
}

}  // namespace
}  // namespace ward::attack
