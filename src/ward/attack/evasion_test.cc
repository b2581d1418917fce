#include "ward/attack/evasion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "ward/attack/internal/losses.h"
#include "ward/attack/testing/linear_target.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

// Bars between the lines of the test would only be in the way.
const bool kQuiet = [] {
    set_progress_mode(ProgressMode::kOff);
    return true;
}();

using ::testing::Contains;
using ::testing::HasSubstr;
using testonly::LinearModel;
using testonly::middle_points;
using ward::testonly::error_of;
using ward::testonly::message_of;

constexpr int64_t kFeatures = 60, kExamples = 80;

struct Setting {
    explicit Setting(int64_t classes = 5) : model(LinearModel::make(classes, kFeatures, 7)) {}

    LinearModel model;
    at::Tensor x = middle_points(kExamples, kFeatures, 8);
    Points points{x, model.logits(x).argmax(1), at::Tensor()};
};

double median_distance(const Setting& s, double dual) {
    std::vector<double> all;
    for (int64_t i = 0; i < kExamples; ++i)
        all.push_back(s.model.distance(s.x[i], s.points.y[i].item<int64_t>(), dual));
    std::nth_element(all.begin(), all.begin() + kExamples / 2, all.end());
    return all[kExamples / 2];
}

// Whether each decision of the attack is that of the closed form, but for a hair at the boundary.
void expect_exact(const std::string& name, int64_t classes, Norm norm) {
    const Setting s(classes);
    const double dual = norm == Norm::kLinf ? 1 : 2;
    Target target = s.model.target();
    EvasionOptions options;
    options.norm = norm;
    options.epsilon = median_distance(s, dual);
    const auto attack = make_attack(name, options);
    const EvasionResult result = evade(target, *attack, s.points, options);
    EXPECT_EQ(result.clean_accuracy, 1);
    EXPECT_EQ(result.rejected, 0);
    int64_t decided = 0;
    for (int64_t i = 0; i < kExamples; ++i) {
        const double distance = s.model.distance(s.x[i], s.points.y[i].item<int64_t>(), dual);
        if (std::abs(distance / options.epsilon - 1) < 0.02) continue;
        EXPECT_EQ(result.robust[i], distance > options.epsilon)
            << name << " " << norm_name(norm) << " example " << i;
        ++decided;
    }
    EXPECT_GT(decided, kExamples / 2);
}

TEST(Evasion, GradientAttacksAreExactOnALinearModel) {
    for (Norm norm : {Norm::kLinf, Norm::kL2}) {
        // With more classes cross-entropy does not lead to the nearest boundary.
        for (const char* name : {"fgsm", "pgd", "mi-fgsm", "apgd-ce"}) expect_exact(name, 2, norm);
        for (const char* name : {"apgd-t", "fab", "fab-t"}) expect_exact(name, 5, norm);
    }
}

TEST(Evasion, FgsmFindsTheCornerOfTheBall) {
    const Setting s;
    const LinearModel two{s.model.weight.narrow(0, 0, 2), s.model.bias.narrow(0, 0, 2)};
    Target target = two.target();
    const Points points{s.x, two.logits(s.x).argmax(1), at::Tensor()};
    EvasionOptions options;
    options.epsilon = 0.1;
    const at::Tensor found = make_attack("fgsm", options)->perturb(target, points);
    const at::Tensor direction = (two.weight[1] - two.weight[0]).sign();
    for (int64_t i = 0; i < kExamples; ++i) {
        const double sign = points.y[i].item<int64_t>() == 0 ? 1 : -1;
        EXPECT_TRUE(at::allclose(found[i], s.x[i] + 0.1 * sign * direction, 1e-5, 1e-6));
    }
    EXPECT_EQ(target.counts().forward, kExamples);
    EXPECT_EQ(target.counts().backward, kExamples);
}

// Distances found are never below those of the closed form, and on the mean close above.
void expect_near_boundary(const std::string& name, int64_t classes, Norm norm, Access access,
                          int64_t steps, double most_ratio) {
    const Setting s(classes);
    Target target = s.model.target(access);
    EvasionOptions options;
    options.norm = norm;
    options.epsilon = std::numeric_limits<double>::infinity();
    options.steps = steps;
    const auto attack = make_attack(name, options);
    const EvasionResult result = evade(target, *attack, s.points, options);
    EXPECT_EQ(result.robust_accuracy, 0) << name;
    const at::Tensor found = row_norms(result.adversarial - s.x, norm);
    double expected = 0;
    for (int64_t i = 0; i < kExamples; ++i) {
        const double least =
            s.model.distance(s.x[i], s.points.y[i].item<int64_t>(), norm == Norm::kLinf ? 1 : 2);
        EXPECT_GE(found[i].item<double>(), least * (1 - 1e-4)) << name << " example " << i;
        expected += least;
    }
    EXPECT_LE(found.sum().item<double>() / expected, most_ratio) << name << " " << norm_name(norm);
}

TEST(Evasion, LeastNormAttacksFindTheNearestBoundaryOfALinearModel) {
    for (Norm norm : {Norm::kLinf, Norm::kL2}) {
        expect_near_boundary("deepfool", 5, norm, Access::kWhiteBox, 0, 1.03);
        expect_near_boundary("fab-t", 5, norm, Access::kWhiteBox, 20, 1.02);
    }
    // These follow the likeliest rival, which is the nearest one only if there is no other.
    expect_near_boundary("ddn", 2, Norm::kL2, Access::kWhiteBox, 200, 1.05);
    expect_near_boundary("cw", 2, Norm::kL2, Access::kWhiteBox, 300, 1.15);
    expect_near_boundary("hopskipjump", 5, Norm::kL2, Access::kLabels, 20, 1.3);
    expect_near_boundary("hopskipjump", 5, Norm::kLinf, Access::kLabels, 20, 2);
}

// The loss has its peak inside the ball and is high only very near to it: steps of fixed size jump
// over it, shrinking ones arrive.
TEST(Evasion, ApgdShrinksItsStepsWherePgdJumpsOver) {
    const at::Tensor x = middle_points(20, kFeatures, 5);
    const at::Tensor peak = x + 0.035 * (middle_points(20, kFeatures, 6) - 0.5).sign();
    EvasionOptions options;
    options.epsilon = 0.1;
    const Points points{x, torch::zeros({20}, at::kLong), at::Tensor()};
    int64_t apgd = 0, pgd = 0;
    for (int64_t i = 0; i < 20; ++i) {
        Target one([&, i](const at::Tensor& input) {
            const at::Tensor far = (input - peak[i]).square().sum(1);
            const double enough = kFeatures * 0.003 * 0.003;
            return 10 * at::stack({far, torch::full_like(far, enough)}, 1);
        });
        const Points single = points.select(torch::tensor({i}));
        apgd += evade(one, *make_attack("apgd-ce", options), single, options).robust[0] ? 0 : 1;
        pgd += evade(one, *make_attack("pgd", options), single, options).robust[0] ? 0 : 1;
    }
    EXPECT_EQ(apgd, 20);
    EXPECT_EQ(pgd, 0);
}

TEST(Evasion, SquareNeedsNoGradientsAndComesNearTheClosedForm) {
    const Setting s;
    Target target = s.model.target(Access::kScores);
    for (Norm norm : {Norm::kLinf, Norm::kL2}) {
        EvasionOptions options;
        options.norm = norm;
        const double dual = norm == Norm::kLinf ? 1 : 2;
        options.epsilon = (norm == Norm::kLinf ? 1.2 : 2.5) * median_distance(s, dual);
        options.steps = 1000;
        const auto attack = make_attack("square", options);
        const EvasionResult result = evade(target, *attack, s.points, options);
        EXPECT_LT(result.robust_accuracy, 0.5);
        EXPECT_EQ(result.rejected, 0);
        EXPECT_EQ(result.backward_per_example, 0);
        for (int64_t i = 0; i < kExamples; ++i) {
            const int64_t y = s.points.y[i].item<int64_t>();
            if (s.model.distance(s.x[i], y, dual) > options.epsilon * 1.01) {
                EXPECT_TRUE(result.robust[i]);
            }
        }
    }
}

TEST(Evasion, TargetedAttacksReachTheWantedClass) {
    const Setting s;
    Target target = s.model.target();
    EvasionOptions options;
    options.epsilon = 0.3;
    Points points = s.points.select((s.points.y != 2).nonzero().flatten());
    points.wanted = torch::full_like(points.y, 2);
    for (const char* name : {"pgd", "apgd-ce"}) {
        const auto attack = make_attack(name, options);
        const EvasionResult result = evade(target, *attack, points, options);
        EXPECT_EQ(result.robust_accuracy, 0) << name;
        EXPECT_TRUE((target.labels(result.adversarial) == 2).all().item<bool>());
    }
}

TEST(Evasion, ResultsRepeatWithTheSeedWhateverTheSizeOfCalls) {
    const Setting s;
    EvasionOptions options;
    options.epsilon = 0.05;
    options.random_start = true;
    options.restarts = 3;
    at::Tensor first;
    for (int64_t rows : {200, 7}) {
        Target target = s.model.target();
        target.set_rows_at_once(rows);
        const auto result = evade(target, *make_attack("pgd", options), s.points, options);
        if (first.defined()) {
            EXPECT_TRUE(at::allclose(first, result.adversarial, 1e-4, 1e-5));
        }
        first = result.adversarial;
    }
}

// Hands back points that fool, but far outside of what is allowed.
class Cheat : public Attack {
  public:
    explicit Cheat(at::Tensor point) : point_(std::move(point)) {}
    std::string_view name() const override { return "cheat"; }
    at::Tensor perturb(Target&, const Points& points) override {
        return point_.expand(points.x.sizes()).contiguous();
    }

  private:
    at::Tensor point_;
};

TEST(Evasion, PointsOutsideTheBallOrTheBoxDoNotCount) {
    const Setting s;
    Target target = s.model.target();
    EvasionOptions options;
    options.epsilon = 0.01;
    Cheat far(s.x.narrow(0, 0, 1)), outside(s.x.narrow(0, 0, 1) + 5);
    for (Attack* attack : std::initializer_list<Attack*>{&far, &outside}) {
        const EvasionResult result = evade(target, *attack, s.points, options);
        EXPECT_EQ(result.robust_accuracy, 1);
        EXPECT_GT(result.rejected, 0);
        EXPECT_TRUE(at::equal(result.adversarial, s.x));
    }
}

TEST(Evasion, RadiusZeroIsCleanAccuracy) {
    const Setting s;
    Target target = s.model.target();
    Points points = s.points;
    points.y = points.y.clone();
    points.y[3] = (points.y[3].item<int64_t>() + 1) % 5;
    const EvasionOptions options;
    const auto result = evade(target, *make_attack("autoattack", options), points, options);
    EXPECT_EQ(result.robust, result.clean);
    EXPECT_FALSE(result.clean[3]);
    EXPECT_DOUBLE_EQ(result.clean_accuracy, 1 - 1.0 / kExamples);
}

TEST(Evasion, SaysWhatDoesNotFit) {
    const Setting s;
    EvasionOptions options;
    options.epsilon = 0.1;
    Target scores = s.model.target(Access::kScores);
    EXPECT_THAT(message_of([&] { evade(scores, *make_attack("pgd", options), s.points, options); },
                           ErrorCode::kRefused),
                HasSubstr("pgd needs more"));
    EXPECT_THAT(message_of([&] { scores.gradient(s.x, {}); }, ErrorCode::kRefused),
                HasSubstr("wants gradients, but the target gives scores"));
    EXPECT_THAT(message_of([&] { make_attack("nonsense", options); }, ErrorCode::kUsage),
                HasSubstr("there is no attack nonsense"));
    Target target = s.model.target();
    const auto attack = make_attack("pgd", options);
    EXPECT_THAT(message_of([&] {
                    evade(target, *attack, {s.x * 300, s.points.y, {}}, options);
                }),
                HasSubstr("inputs must lie in the box"));
    EXPECT_THAT(message_of([&] {
                    evade(target, *attack, {s.x, s.points.y + 3, {}}, options);
                }),
                HasSubstr("labels must lie in 0..4"));
    Target broken([&](const at::Tensor& x) { return s.model.logits(x) / 0; });
    EXPECT_THAT(message_of([&] { evade(broken, *attack, s.points, options); }),
                HasSubstr("not finite"));
    options.steps = 3;
    EXPECT_THAT(message_of([&] { make_attack("autoattack", options); }, ErrorCode::kUsage),
                HasSubstr("autoattack does not take steps"));
}

// The table of options is that of what attacks do: what stands in it changes points or passes.
TEST(Evasion, OptionsThatChangeNothingAreRefused) {
    const Setting s(4);
    const auto with = [](const std::string& option, bool other, double epsilon) {
        EvasionOptions options{.epsilon = epsilon};
        if (option == "steps") options.steps = other ? 40 : 1;
        if (option == "step_size") options.step_size = other ? 0.5 : 0.001;
        if (option == "restarts") options.restarts = other ? 3 : 2;
        if (option == "eot") options.eot = other ? 4 : 2;
        if (option == "momentum") options.momentum = other ? 0.9 : 0.2;
        if (option == "random_start") options.random_start = true;
        return options;
    };
    for (const std::string& name : attack_names()) {
        if (name == "table") continue;  // table_attack_test.cc
        const Norm norm = name == "ead" ? Norm::kL1 : Norm::kL2;
        const std::vector<std::string> known = attack_options(name, norm);
        const auto run = [&](const std::string& option, bool other, double epsilon = 0.1) {
            EvasionOptions options = with(option, other, epsilon);
            options.norm = norm;
            const auto takes = [&](const char* what) {
                return option != what && std::find(known.begin(), known.end(), what) != known.end();
            };
            if (takes("steps")) options.steps = name == "ead" ? 100 : 8;
            if (takes("restarts")) options.restarts = name == "ead" ? 6 : 1;
            if (option == "random_start") options.random_start = other;
            Target target = s.model.target();
            const at::Tensor found =
                make_attack(name, options)->perturb(target, s.points.select(torch::arange(6)));
            return std::make_pair(found, target.counts().forward + target.counts().backward);
        };
        for (const std::string option :
             {"steps", "step_size", "restarts", "eot", "momentum", "random_start"}) {
            if (std::find(known.begin(), known.end(), option) == known.end()) {
                EXPECT_THAT(message_of([&] { run(option, true); }, ErrorCode::kUsage),
                            HasSubstr(name + " does not take " + option));
                continue;
            }
            if (name == "di-fgsm" || name == "ti-fgsm") continue;  // images
            bool changes = false;
            for (const double epsilon : {0.1, 0.01, 1.0}) {  // most hold, or most fall
                const auto a = run(option, false, epsilon), b = run(option, true, epsilon);
                changes = changes || a.second != b.second || !a.first.equal(b.first);
            }
            EXPECT_TRUE(changes) << name << " " << option;
        }
    }
    EXPECT_THAT(attack_options("cw", Norm::kLinf), ::testing::Not(Contains("restarts")));
}

TEST(Evasion, AnAttackIsNamedWithoutItsNorm) {
    EXPECT_THAT(
        error_of([&] { make_attack("cw-linf", {}); }, ErrorCode::kUsage),
        HasSubstr("no attack cw-linf | it is cw with the norm linf: --attack cw --norm linf"));
    EXPECT_THAT(error_of([&] { make_attack("fgsm-2", {}); }, ErrorCode::kUsage),
                HasSubstr("| choose one of fgsm, pgd"));
}

TEST(AutoAttack, RaisesItsFlags) {
    const Setting s;
    EvasionOptions options;
    options.epsilon = 1e-4;
    const auto flags_of = [&](Target::Function function, const char* name = "autoattack") {
        Target target(std::move(function));
        const auto attack = make_attack(name, options);
        return evade(target, *attack, s.points.select(torch::arange(3)), options).flags;
    };
    EXPECT_TRUE(flags_of([&](const at::Tensor& x) { return s.model.logits(x); }).empty());
    EXPECT_THAT(flags_of([&](const at::Tensor& x) { return at::softmax(s.model.logits(x), 1); }),
                Contains(HasSubstr("probabilities")));
    EXPECT_THAT(flags_of([&](const at::Tensor& x) {
                    return s.model.logits(x) + 1e-3 * torch::randn({x.size(0), 5});
                }),
                Contains(HasSubstr("differently to the same input")));
    EXPECT_THAT(
        flags_of([&](const at::Tensor& x) { return s.model.logits(x.detach()) + 0 * x.sum(); }),
        Contains(HasSubstr("gradient of the loss is zero")));
    EXPECT_THAT(flags_of([&](const at::Tensor& x) { return s.model.logits(x); }, "autoattack-rand"),
                Contains(HasSubstr("does not draw at random")));
}

// Gradients are masked by rounding the inputs; random search sees through that.
TEST(AutoAttack, TellsWhenSquareBeatsTheWhiteBoxAttacks) {
    const Setting s;
    Target target([&](const at::Tensor& x) {
        return s.model.logits((x * 100).round() / 100) + 1e-6 * s.model.logits(-x);
    });
    EvasionOptions options;
    options.epsilon = 1.5 * median_distance(s, 1);
    const auto attack = make_attack("autoattack", options);
    const auto result = evade(target, *attack, s.points.select(torch::arange(8)), options);
    EXPECT_THAT(result.flags, Contains(HasSubstr("square fooled")));
}

TEST(Losses, DerivativesAreThoseOfAutograd) {
    const at::Tensor y = torch::tensor({0, 3, 2, 4}, at::kLong),
                     aim = torch::tensor({1, 0, 4, 3}, at::kLong);
    const at::Tensor values =
        at::randn({4, 5}, at::make_generator<at::CPUGeneratorImpl>(3), at::kFloat);
    for (const bool aimed : {false, true}) {
        at::Tensor z = values.clone().set_requires_grad(true);
        const at::Tensor a = aimed ? aim : at::Tensor();
        const auto pick = [&](const at::Tensor& k) {
            return z.gather(1, k.unsqueeze(1)).squeeze(1);
        };
        const at::Tensor sorted = std::get<0>(z.sort(1, true));
        const auto place = [&](int64_t k) { return sorted.select(1, k); };
        const at::Tensor other =
            aimed ? pick(aim) : std::get<0>(z.scatter(1, y.unsqueeze(1), -1e9f).max(1));
        const at::Tensor width =
            aimed ? place(0) - 0.5 * (place(2) + place(3)) : place(0) - place(2);
        const at::Tensor log_p = at::log_softmax(z, 1);
        const at::Tensor ce = aimed ? log_p.gather(1, aim.unsqueeze(1)).squeeze(1)
                                    : -log_p.gather(1, y.unsqueeze(1)).squeeze(1);
        const std::vector<std::pair<Loss, at::Tensor>> cases = {
            {Loss::kCrossEntropy, ce},
            {Loss::kMargin, other - pick(y)},
            {Loss::kDlr, (other - pick(y)) / width}};
        for (const auto& [loss, expected] : cases) {
            const LossRows got = evaluate_loss(loss, values, y, a);
            EXPECT_TRUE(at::allclose(got.value, expected.detach(), 1e-5, 1e-5));
            const at::Tensor d = torch::autograd::grad({expected.sum()}, {z}, {}, true)[0];
            EXPECT_TRUE(at::allclose(got.cotangent, d, 1e-4, 1e-5));
        }
    }
}

}  // namespace
}  // namespace ward::attack
