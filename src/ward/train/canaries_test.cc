#include "ward/train/canaries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/data/load.h"
#include "ward/nn/torch.h"
#include "ward/train/private_step.h"
#include "ward/train/recipes.h"
#include "ward/train/trainer.h"

namespace ward::train {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

constexpr int64_t kBatch = 32;

data::Dataset digits() {
    set_progress_mode(ProgressMode::kOff);
    data::LoadRequest request;
    request.data = "digits";
    return data::load_dataset(request).dataset;
}

TrainOptions private_run(const data::Dataset& data) {
    TrainOptions options;
    options.spec = spec_for(data, "logistic", recipe_named("small-image"));
    options.batch_size = kBatch;
    options.epochs = 4;
    options.evaluations = 1;
    options.privacy.emplace();
    options.privacy->noise_multiplier = 0.5;
    options.privacy->clipping_norm = 0.5;
    options.step_random = [](int64_t step) {
        return testonly::seeded_random(3, static_cast<uint64_t>(step));
    };
    return options;
}

double value_at(const std::vector<at::Tensor>& gradients, int64_t coordinate) {
    for (const at::Tensor& gradient : gradients) {
        if (coordinate < gradient.numel()) return gradient.flatten()[coordinate].item<double>();
        coordinate -= gradient.numel();
    }
    return NAN;
}

struct Step {
    explicit Step(const TrainOptions& options, const data::Dataset& data)
        : network(options.spec, 1), plan(plan_for(options, data)), step(network, plan, 1) {}

    std::vector<at::Tensor> finish() {
        Random random = testonly::seeded_random(9);
        return step.finish(random);
    }

    nn::Network network;
    dp::PrivacyPlan plan;
    PrivateStep step;
};

// The noise of both steps is the same, so it leaves their difference.
TEST(Canaries, AreClippedAndSummedInTheirCoordinate) {
    const data::Dataset data = digits();
    const TrainOptions options = private_run(data);
    const int64_t last = model::parameter_count(options.spec) - 1;
    Step with(options, data), without(options, data);
    with.step.add_canaries(std::vector<DiracCanary>{{3, 40}, {3, 0.25}, {last, -7}});
    const auto one = with.finish(), other = without.finish();
    const auto moved = [&](int64_t coordinate) {
        return (value_at(one, coordinate) - value_at(other, coordinate)) * kBatch / 0.5;
    };
    EXPECT_NEAR(moved(3), 1.5, 1e-5) << "clipped to 1, and half of it";
    EXPECT_NEAR(moved(last), -1, 1e-5);
    EXPECT_EQ(moved(4), 0);
}

TEST(Canaries, StandBesideTheExamplesOfABatch) {
    const data::Dataset data = digits();
    const TrainOptions options = private_run(data);
    const std::vector<int64_t> rows = {0, 1, 2, 3};
    const Batch batch = gather_batch(data, rows, {}, nullptr);
    std::vector<double> sums;
    const auto released_with = [&](bool before, bool after) {
        Step run(options, data);
        if (before) run.step.add_canaries(std::vector<DiracCanary>{{100, 1}});
        run.step.add(batch);
        if (after) run.step.add_canaries(std::vector<DiracCanary>{{100, 1}});
        sums = run.step.sum_at(std::vector<int64_t>{100, 640});
        return run.finish();
    };
    const auto none = released_with(false, false);
    const std::vector<double> examples = sums;
    EXPECT_NE(examples[0], 0);
    for (const bool before : {true, false}) {
        const auto with = released_with(before, !before);
        EXPECT_NEAR(sums[0] - examples[0], 0.5, 1e-6);
        EXPECT_NEAR(sums[1], examples[1], 1e-6);
        for (size_t i = 0; i < none.size(); ++i) {
            at::Tensor difference = (with[i] - none[i]).flatten() * kBatch;
            if (i == 0) difference[100] -= 0.5;
            EXPECT_LT(difference.abs().max().item<double>(), 1e-5) << i;
        }
    }
}

// The batches of both runs are the same and the weights stand still, so the examples drop out of
// the difference; the noise of both runs stays in it.
TEST(Canaries, AreDrawnAtTheRateOfThePlan) {
    const data::Dataset data = digits();
    TrainOptions options = private_run(data);
    options.schedule.learning_rate = 1e-9;
    std::vector<DiracCanary> places;
    for (int64_t i = 0; i < 40; ++i) places.push_back({640 - i, 5});
    int64_t steps = 0;
    const auto sum_over_run = [&](const std::vector<DiracCanary>& inserted) {
        double sum = 0;
        GradientCanaries canaries{inserted, {640, 601}, {}};
        steps = 0;
        canaries.observe = [&](int64_t step, const std::vector<at::Tensor>& released,
                               const std::vector<double>& examples) {
            EXPECT_EQ(examples.size(), 2u);
            EXPECT_EQ(step, steps++);
            for (const DiracCanary& place : places)
                sum += value_at(released, place.coordinate) * kBatch / 0.5;
        };
        options.canaries = &canaries;
        EXPECT_EQ(train(data, options).steps, steps);
        return sum;
    };
    const double drawn = sum_over_run(places) - sum_over_run({});
    const double trials = 40.0 * static_cast<double>(steps);
    const double rate = static_cast<double>(kBatch) / static_cast<double>(data.size());
    EXPECT_NEAR(drawn, trials * rate, 4 * std::sqrt(trials * (rate + 2 * 0.25)));
}

TEST(Canaries, AreRefusedWhereTheyMeanNothing) {
    const data::Dataset data = digits();
    TrainOptions options = private_run(data);
    Step run(options, data);
    EXPECT_THAT(message_of([&] {
                    run.step.add_canaries(std::vector<DiracCanary>{{650, 1}});
                }),
                HasSubstr("coordinate 650, the network trains 650"));
    EXPECT_THAT(message_of([&] {
                    run.step.add_canaries(std::vector<DiracCanary>{{0, NAN}});
                }),
                HasSubstr("not finite"));
    const GradientCanaries canaries;
    options.canaries = &canaries;
    options.privacy.reset();
    EXPECT_THAT(message_of([&] { train(data, options); }, ErrorCode::kUsage),
                HasSubstr("canaries are for private runs"));
}

}  // namespace
}  // namespace ward::train
