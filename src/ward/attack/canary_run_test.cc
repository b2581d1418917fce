#include "ward/attack/canary_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/data/load.h"
#include "ward/model/zoo.h"
#include "ward/train/recipes.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

data::Dataset digits() {
    set_progress_mode(ProgressMode::kOff);
    data::LoadRequest request;
    request.data = "digits";
    return data::load_dataset(request).dataset;
}

train::TrainOptions training(const data::Dataset& data, double epsilon) {
    train::TrainOptions options;
    model::ZooOptions zoo;
    zoo.input_shape = data.example_shape;
    zoo.outputs = 10;
    zoo.hidden = {64};
    options.spec = model::make_model("mlp", zoo);
    options.batch_size = 32;
    options.epochs = 2;
    options.evaluations = 1;
    options.schedule.learning_rate = 0.3;
    options.privacy.emplace();
    options.privacy->target_epsilon = epsilon;
    options.step_random = [](int64_t step) {
        return testonly::seeded_random(21, static_cast<uint64_t>(step));
    };
    return options;
}

TEST(StepEvidence, IsTheLikelihoodRatio) {
    for (const double q : {0.01, 0.5, 1.0}) {
        for (const double y : {-2.0, 0.0, 0.5, 3.0}) {
            const double sigma = 0.8, s2 = 2 * sigma * sigma;
            const double with = std::exp(-(y - 1) * (y - 1) / s2), without = std::exp(-y * y / s2);
            EXPECT_NEAR(step_evidence(y, q, sigma), std::log((1 - q) + q * with / without), 1e-12);
        }
    }
    EXPECT_NEAR(step_evidence(1000, 0.5, 0.1), 99950 + std::log(0.5), 1e-6) << "no overflow";
}

TEST(GradientAudit, SoundTrainingKeepsItsWordBrokenOneDoesNot) {
    const data::Dataset data = digits();
    const train::TrainOptions options = training(data, 3);
    Random random = testonly::seeded_random(5);
    const GradientAuditOptions audit{.canaries = 2000};
    const CanaryRun sound = audit_gradient_space(data, options, audit, random);
    EXPECT_NEAR(sound.claim.epsilon, 3, 0.01);
    const AuditBound bound = audit_one_run(sound.game, sound.claim);
    EXPECT_FALSE(bound.contradicts) << bound.epsilon << " " << bound.curve_epsilon;
    EXPECT_GT(bound.curve_epsilon, 0.5) << "2000 canaries do show something";

    train::TrainOptions broken = options;
    broken.privacy->target_epsilon.reset();
    broken.privacy->noise_multiplier = 0.35 * sound.claim.phase.noise_multiplier;
    const CanaryRun found = audit_gradient_space(data, broken, audit, random);
    const AuditBound exposed = audit_one_run(found.game, sound.claim);
    EXPECT_TRUE(exposed.contradicts) << exposed.epsilon << " " << exposed.curve_epsilon;
}

TEST(InputAudit, MislabelledCanariesShowInAModelWithoutMuchNoise) {
    const data::Dataset data = digits();
    std::vector<int64_t> first(200), rest(600);
    std::iota(first.begin(), first.end(), 0);
    std::iota(rest.begin(), rest.end(), 200);
    Random random = testonly::seeded_random(6);
    const data::Dataset canaries = mislabelled(data::select_rows(data, first), random);
    for (int64_t i = 0; i < 200; ++i) EXPECT_NE(canaries.labels[i], data.labels[i]);
    train::TrainOptions options = training(data, 200);
    options.batch_size = 100;
    options.epochs = 40;
    const CanaryRun run =
        audit_input_space(data::select_rows(data, rest), canaries, options, random);
    double in = 0, out = 0, ins = 0;
    for (size_t i = 0; i < 200; ++i) {
        (run.game.inserted[i] ? in : out) += run.game.scores[i];
        ins += run.game.inserted[i];
    }
    EXPECT_GT(in / ins, out / (200 - ins)) << "the model has learnt its canaries";
    EXPECT_FALSE(audit_one_run(run.game, run.claim).contradicts);
}

TEST(GradientAudit, RefusesWhatItCannotAudit) {
    const data::Dataset data = digits();
    train::TrainOptions options = training(data, 3);
    Random random = testonly::seeded_random(5);
    EXPECT_THAT(message_of([&] { audit_gradient_space(data, options, {.canaries = 4811}, random); },
                           ErrorCode::kUsage),
                HasSubstr("between 1 and the 4810 trainable parameters, got 4811"));
    EXPECT_THAT(message_of([&] { audit_input_space(data, {}, options, random); }),
                HasSubstr("canaries do not fit"));
    options.privacy.reset();
    EXPECT_THAT(
        message_of([&] { audit_gradient_space(data, options, {}, random); }, ErrorCode::kUsage),
        HasSubstr("private training"));
}

}  // namespace
}  // namespace ward::attack
