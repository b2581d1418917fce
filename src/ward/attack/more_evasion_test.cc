// Attacks beside the standard ones: each at least as strong as a simple baseline, on a model whose
// distances to the boundary are known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "ward/attack/apgd.h"
#include "ward/attack/evasion.h"
#include "ward/attack/testing/linear_target.h"
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

struct Setting {
    explicit Setting(int64_t classes = 4) : model(LinearModel::make(classes, kFeatures, 7)) {}

    double median_distance(double dual) const {
        std::vector<double> all;
        for (int64_t i = 0; i < kExamples; ++i)
            all.push_back(model.distance(x[i], points.y[i].item<int64_t>(), dual));
        std::nth_element(all.begin(), all.begin() + kExamples / 2, all.end());
        return all[kExamples / 2];
    }

    EvasionResult attack(const std::string& name, EvasionOptions options,
                         Access access = Access::kWhiteBox) const {
        Target target = model.target(access);
        return evade(target, *make_attack(name, options), points, options);
    }

    LinearModel model;
    at::Tensor x = middle_points(kExamples, kFeatures, 8);
    Points points{x, model.logits(x).argmax(1), at::Tensor()};
};

TEST(MoreEvasion, FmnIsNearlyExactInEveryNorm) {
    const Setting s;
    for (const auto& [norm, dual] : {std::pair{Norm::kLinf, 1.0}, std::pair{Norm::kL2, 2.0}}) {
        EvasionOptions options{.norm = norm, .epsilon = 100, .steps = 200};
        const EvasionResult result = s.attack("fmn", options);
        EXPECT_EQ(result.robust_accuracy, 0);
        double mean = 0;
        for (int64_t i = 0; i < kExamples; ++i)
            mean += s.model.distance(s.x[i], s.points.y[i].item<int64_t>(), dual) / kExamples;
        EXPECT_LT(result.mean_norm, 1.06 * mean) << norm_name(norm);
        EXPECT_GT(result.mean_norm, 0.999 * mean) << "nothing is nearer than the boundary";
    }
    const EvasionResult sparse = s.attack("fmn", {.norm = Norm::kL1, .epsilon = 100, .steps = 200});
    EXPECT_EQ(sparse.robust_accuracy, 0);
}

TEST(MoreEvasion, TransferAttacksAreNoWeakerThanOneStep) {
    const Setting s;
    const EvasionOptions options{.norm = Norm::kLinf, .epsilon = s.median_distance(1)};
    const double one_step = s.attack("fgsm", options).robust_accuracy;
    EXPECT_LE(s.attack("ni-fgsm", options).robust_accuracy, one_step + 1e-9);
    EXPECT_THAT(message_of([&] { s.attack("ti-fgsm", options); }, ErrorCode::kUnsupported),
                HasSubstr("ti-fgsm is for images"));
}

// Another model whose boundary lies a little farther out: points that stop at the boundary of the
// first do not reach it, points of all steps do.
TEST(MoreEvasion, AllStepsCarryOverToAnotherModel) {
    const Setting s(2);
    EvasionOptions options{.norm = Norm::kLinf, .epsilon = 3 * s.median_distance(1)};
    options.steps = 30;
    const auto logits = [&](const at::Tensor& x) {
        const at::Tensor z = s.model.logits(x);
        // In doubt for what the first model says of the example itself, here of each by its place.
        return z + 0.7 * s.model.logits(s.x.narrow(0, 0, x.size(0)));
    };
    for (const char* name : {"pgd", "mi-fgsm", "ni-fgsm"}) {
        std::vector<double> success;
        for (const bool all_steps : {false, true}) {
            options.all_steps = all_steps;
            const EvasionResult result = s.attack(name, options);
            Target other(logits);
            const TransferResult transfer = transfer_to(other, s.points, result);
            EXPECT_EQ(transfer.clean_accuracy, 1);
            EXPECT_EQ(transfer.right_on_both, kExamples);
            EXPECT_DOUBLE_EQ(transfer.robust_accuracy, 1 - transfer.success());
            success.push_back(transfer.success());
            EXPECT_LE((result.allowed - s.x).abs().max().item<double>(), options.epsilon * 1.0001);
        }
        EXPECT_GT(success[1], success[0] + 0.3) << name;
        // What is allowed counts also where it does not fool the first model, and what is not
        // never.
        options.all_steps = true;
        EvasionResult result = s.attack(name, options);
        result.allowed = s.x.clone();
        Target other(logits);
        EXPECT_EQ(transfer_to(other, s.points, result).success(), 0);
    }
}

// A linear model on images: the resize and the blur change gradients, and the attacks must still
// find what a single step with the true gradient finds, but for a few.
TEST(MoreEvasion, DiverseAndSmoothedGradientsWorkOnImages) {
    const Setting s;
    // Smooth weights, as those of a model of images.
    const at::Tensor weight = at::avg_pool2d(s.model.weight.view({4, 1, 6, 6}), 3, 1, 1).flatten(1);
    const at::Tensor bias = -weight.sum(1) * 0.5;
    const at::Tensor x = s.x.view({kExamples, 1, 6, 6});
    const auto logits = [&](const at::Tensor& rows) {
        return at::linear(rows.flatten(1), weight, bias);
    };
    const Points points{x, logits(x).argmax(1), at::Tensor()};
    const EvasionOptions options{.norm = Norm::kLinf, .epsilon = 0.1};
    const auto robust = [&](const std::string& name) {
        Target target(logits);
        const EvasionResult result = evade(target, *make_attack(name, options), points, options);
        EXPECT_EQ(result.rejected, 0);
        return result.robust_accuracy;
    };
    const double one_step = robust("fgsm");
    EXPECT_LT(one_step, 0.6);
    EXPECT_LE(robust("di-fgsm"), one_step + 0.15);
    EXPECT_LE(robust("ti-fgsm"), one_step + 0.25);
}

TEST(MoreEvasion, AUniversalPerturbationIsOneForAllAndBeatsNoise) {
    const Setting s(2);
    const EvasionOptions options{.norm = Norm::kLinf, .epsilon = 2 * s.median_distance(1)};
    Points one_class = s.points.select((s.points.y == 0).nonzero().flatten());
    Target target = s.model.target();
    const EvasionResult result =
        evade(target, *make_attack("universal", options), one_class, options);
    EXPECT_LT(result.robust_accuracy, 0.3);
    // One shift: all the differences are equal, up to the box, which is far here.
    const at::Tensor difference = result.adversarial - one_class.x;
    const at::Tensor first =
        difference[difference.abs().flatten(1).sum(1).argmax().item<int64_t>()];
    for (int64_t i = 0; i < one_class.size(); ++i) {
        if (difference[i].abs().sum().item<double>() == 0) continue;
        EXPECT_LT((difference[i] - first).abs().max().item<double>(), 1e-6);
    }
}

TEST(MoreEvasion, ScoreSearchesFindMoreThanHalfOfWhatCanBeFound) {
    const Setting s;
    const EvasionOptions options{.norm = Norm::kLinf, .epsilon = 1.5 * s.median_distance(1)};
    const double best = s.attack("pgd", options).robust_accuracy;
    for (const char* name : {"spsa", "simba"}) {
        EvasionOptions budget = options;
        if (std::string(name) == "simba") budget.steps = 400;
        const EvasionResult result = s.attack(name, budget, Access::kScores);
        EXPECT_EQ(result.backward_per_example, 0) << name;
        EXPECT_EQ(result.rejected, 0) << name;
        EXPECT_LE(result.robust_accuracy, best + 0.5 * (1 - best)) << name;
        EXPECT_THAT(
            message_of([&] { s.attack(name, budget, Access::kLabels); }, ErrorCode::kRefused),
            HasSubstr("needs more"));
    }
}

TEST(MoreEvasion, AutoAttackForL1IsExactOnALinearModel) {
    const Setting s;
    EvasionOptions options{.norm = Norm::kL1, .epsilon = s.median_distance(INFINITY)};
    const EvasionResult result = s.attack("autoattack", options);
    EXPECT_EQ(result.rejected, 0);
    int64_t decided = 0;
    for (int64_t i = 0; i < kExamples; ++i) {
        const double least = s.model.distance(s.x[i], s.points.y[i].item<int64_t>(), INFINITY);
        if (std::abs(least / options.epsilon - 1) < 0.03) continue;
        EXPECT_EQ(result.robust[i], least > options.epsilon) << i;
        ++decided;
    }
    EXPECT_GT(decided, kExamples / 2);
    EXPECT_LE(result.robust_accuracy, s.attack("apgd-ce", options).robust_accuracy);
    EXPECT_THAT(message_of([&] { s.attack("autoattack-plus", options); }, ErrorCode::kUnsupported),
                HasSubstr("linf and l2"));
}

// 10 steps: 3 in a ball of 3 times the radius, 3 in one of 2 times, 4 in the ball itself, and each
// stage looks at where it begins. Fooling the model farther out counts for nothing.
TEST(MoreEvasion, ApgdGoesThroughShrinkingBalls) {
    const Setting s(2);
    const Points one = s.points.select(torch::tensor({0}));
    const EvasionOptions options{.norm = Norm::kL1, .epsilon = 0.1, .steps = 10};
    std::vector<double> distances;
    Target target([&](const at::Tensor& x) {
        const at::Tensor moved = (x.detach() - one.x).abs().sum(1);
        distances.push_back(moved[0].item<double>());
        const at::Tensor up = (x * s.model.weight[0].sign()).sum(1);
        const at::Tensor far = at::where(moved > 0.15, torch::full_like(up, -9), up.detach() + 9);
        return at::stack({far + 0 * up, up}, 1);
    });
    const Points points{one.x, torch::zeros({1}, at::kLong), {}};
    make_apgd_ce(options, ApgdRadii::kShrinking)->perturb(target, points);
    ASSERT_EQ(distances.size(), 13u);
    const std::vector<double> radii = {0.3, 0.3, 0.3, 0.3, 0.2, 0.2, 0.2,
                                       0.2, 0.1, 0.1, 0.1, 0.1, 0.1};
    for (size_t k = 0; k < radii.size(); ++k) EXPECT_NEAR(distances[k], radii[k], 2e-3) << k;
}

TEST(MoreEvasion, SquareForL1SpendsTheWholeRadiusAndNoMore) {
    const Setting s;
    EvasionOptions options{.norm = Norm::kL1, .epsilon = 6 * s.median_distance(INFINITY)};
    options.steps = 800;
    const EvasionResult result = s.attack("square", options, Access::kScores);
    EXPECT_EQ(result.rejected, 0);
    EXPECT_EQ(result.backward_per_example, 0);
    EXPECT_LT(result.robust_accuracy, 0.5);
    EXPECT_GT(result.mean_norm, 0.9 * options.epsilon);
    for (int64_t i = 0; i < kExamples; ++i) {
        const double least = s.model.distance(s.x[i], s.points.y[i].item<int64_t>(), INFINITY);
        if (least > options.epsilon) {
            EXPECT_TRUE(result.robust[i]) << i;
        }
    }
}

TEST(MoreEvasion, TheBoundaryWalkComesNearer) {
    const Setting s;
    EvasionOptions options{.norm = Norm::kL2, .epsilon = 100, .steps = 1};
    const EvasionResult start = s.attack("boundary", options, Access::kLabels);
    options.steps = 1500;
    const EvasionResult end = s.attack("boundary", options, Access::kLabels);
    EXPECT_EQ(end.robust_accuracy, 0);
    EXPECT_LT(end.mean_norm, 0.5 * start.mean_norm);
    EXPECT_THAT(
        message_of([] { make_attack("boundary", {.norm = Norm::kLinf}); }, ErrorCode::kUnsupported),
        HasSubstr("l2 only"));
}

TEST(MoreEvasion, MovesAreKeptOrDoNotCount) {
    const Setting s(2);
    EvasionOptions options{.norm = Norm::kLinf, .epsilon = 1.2 * s.median_distance(1)};
    const double free = s.attack("pgd", options).robust_accuracy;
    options.moves.assign(kFeatures, Move::kFree);
    for (int64_t j = 0; j < kFeatures; j += 3) options.moves[j] = Move::kNot;
    for (int64_t j = 1; j < kFeatures; j += 3) options.moves[j] = Move::kUp;
    for (int64_t j = 2; j < kFeatures; j += 6) options.moves[j] = Move::kDown;
    const EvasionResult bound = s.attack("pgd", options);
    EXPECT_EQ(bound.rejected, 0);
    EXPECT_GT(bound.robust_accuracy, free) << "fewer moves, more robust";
    EXPECT_LT(bound.robust_accuracy, 1);
    const at::Tensor difference = bound.adversarial - s.x;
    for (int64_t j = 0; j < kFeatures; ++j) {
        const at::Tensor d = difference.select(1, j);
        if (options.moves[j] == Move::kNot || options.moves[j] == Move::kUp) {
            EXPECT_GE(d.min().item<double>(), -1e-6) << j;
        }
        if (options.moves[j] == Move::kNot || options.moves[j] == Move::kDown) {
            EXPECT_LE(d.max().item<double>(), 1e-6) << j;
        }
    }
    // An attack that does not know of them gets nothing for points that cheat.
    const EvasionResult cheats = s.attack("fgsm", options);
    EXPECT_GT(cheats.rejected, 0);
    EXPECT_EQ(cheats.robust_accuracy, 1);
    options.moves.resize(3);
    EXPECT_THAT(message_of([&] { s.attack("pgd", options); }), HasSubstr("one move for each"));
}

}  // namespace
}  // namespace ward::attack
