#include "ward/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <thread>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/progress.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/data/load.h"
#include "ward/train/checkpoint.h"
#include "ward/train/recipes.h"

namespace ward::train {
namespace {

using ::testing::HasSubstr;

data::Dataset digits(const std::string& split) {
    data::LoadRequest request;
    request.data = "digits";
    request.split = split;
    return data::load_dataset(request).dataset;
}

TrainOptions small_run(const data::Dataset& data, bool private_run) {
    set_progress_mode(ProgressMode::kOff);
    TrainOptions options;
    options.spec = spec_for(data, "mlp", recipe_named("image"));
    options.batch_size = 64;
    options.epochs = 1;
    options.schedule.learning_rate = 0.1;
    options.ema_decay = 0.5;
    options.evaluations = 2;
    if (private_run) {
        PrivacyOptions privacy;
        privacy.noise_multiplier = 1;
        privacy.delta = 1e-5;
        options.privacy = privacy;
    }
    options.step_random = [](int64_t step) {
        return testonly::seeded_random(11, static_cast<uint64_t>(step));
    };
    return options;
}

std::string scratch(const std::string& name) {
    const std::string path = ::testing::TempDir() + "ward_trainer_" + name;
    std::filesystem::remove(path);
    return path;
}

std::string message_of(const std::function<void()>& action, ErrorCode code) {
    try {
        action();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.message();
        return error.message();
    }
    return "no error";
}

TEST(Trainer, LearnsTheBuiltInDigits) {
    const data::Dataset train_set = digits("train"), test_set = digits("test");
    TrainOptions options = small_run(train_set, false);
    options.epochs = 10;
    const TrainResult result = train(train_set, options, &test_set);
    EXPECT_GT(result.curve.back().test_accuracy.value(), 0.93);
    EXPECT_FALSE(result.curve.back().epsilon.has_value());
    EXPECT_FALSE(result.plan.has_value());
}

TEST(Trainer, PrivateRunFollowsItsPlanAndLearns) {
    const data::Dataset train_set = digits("train"), test_set = digits("test");
    TrainOptions options = small_run(train_set, true);
    options.epochs = 20;
    options.schedule.learning_rate = 0.5;
    options.optimizer.momentum = 0;
    options.ema_decay = 0.9;
    const TrainResult result = train(train_set, options, &test_set);
    EXPECT_GT(result.curve.back().test_accuracy.value(), 0.65);
    ASSERT_TRUE(result.plan.has_value());
    EXPECT_EQ(result.steps, result.plan->steps());
    EXPECT_DOUBLE_EQ(result.curve.back().epsilon.value(), result.plan->epsilon().upper);
    EXPECT_LT(result.curve.front().epsilon.value(), result.curve.back().epsilon.value());
}

TEST(Trainer, ResumedRunEndsWithTheSameBits) {
    const data::Dataset train_set = digits("train"), test_set = digits("test");
    for (const bool private_run : {true, false}) {
        TrainOptions options = small_run(train_set, private_run);
        options.optimizer.kind = OptimizerKind::kAdam;
        const TrainResult whole = train(train_set, options, &test_set);

        options.checkpoint = scratch("checkpoint");
        options.checkpoint_steps = 3;
        const auto steady = options.step_random;
        options.step_random = [&](int64_t step) {
            if (step == 10) throw Error(ErrorCode::kInternal, "stopped");
            return steady(step);
        };
        EXPECT_THROW(train(train_set, options, &test_set), Error);
        options.step_random = steady;
        options.resume = true;
        const TrainResult resumed = train(train_set, options, &test_set);
        EXPECT_EQ(model::digest(resumed.model), model::digest(whole.model));
        EXPECT_EQ(resumed.steps, whole.steps);
        EXPECT_EQ(resumed.resumed_at, std::vector<int64_t>{9});
        ASSERT_EQ(resumed.curve.size(), whole.curve.size());
        EXPECT_EQ(resumed.curve.back().epsilon, whole.curve.back().epsilon);
        EXPECT_EQ(resumed.curve.front().test_accuracy, whole.curve.front().test_accuracy);
    }
}

// Two runs side by side end where each ends alone: masks are drawn by a generator of the run.
TEST(Trainer, DropoutDoesNotDependOnOtherRuns) {
    const data::Dataset train_set = digits("train");
    const auto weights_of = [&](uint64_t seed) {
        TrainOptions options = small_run(train_set, false);
        options.step_random = nullptr;
        options.seed = seed;
        auto& layers = options.spec.layers;
        layers.insert(layers.end() - 1, model::LayerSpec("drop", model::Dropout{0.5}));
        return train(train_set, options).model.weights;
    };
    const auto same = [](const auto& a, const auto& b) {
        for (const auto& [name, weight] : a)
            if (weight.values != b.at(name).values) return false;
        return true;
    };
    const auto one = weights_of(1), two = weights_of(2);
    std::map<std::string, model::Weight> first, second;
    std::thread other([&] { second = weights_of(2); });
    first = weights_of(1);
    other.join();
    EXPECT_TRUE(same(first, one));
    EXPECT_TRUE(same(second, two));
    EXPECT_FALSE(same(one, two));
}

TEST(Trainer, EndsBeforeTheBudgetIsSpent) {
    const data::Dataset train_set = digits("train");
    TrainOptions options = small_run(train_set, true);
    const double whole = plan_for(options, train_set).epsilon().upper;
    options.privacy->max_epsilon = 0.7 * whole;
    const TrainResult result = train(train_set, options);
    EXPECT_EQ(result.steps, result.plan->steps());
    EXPECT_LT(result.steps, steps_of(options, train_set.size()));
    EXPECT_LE(result.plan->epsilon().upper, 0.7 * whole);
    options.privacy->max_epsilon = 1e-6;
    EXPECT_THROW((void)plan_for(options, train_set), Error);
}

TEST(Trainer, StopsOnRequestAfterWritingACheckpoint) {
    const data::Dataset train_set = digits("train");
    TrainOptions options = small_run(train_set, true);
    const TrainResult whole = train(train_set, options);
    const std::atomic<bool> stop{true};
    options.stop = &stop;
    options.checkpoint = scratch("stopped");
    EXPECT_THAT(message_of([&] { train(train_set, options); }, ErrorCode::kInterrupted),
                HasSubstr("stopped after step 1 of"));
    options.stop = nullptr;
    options.resume = true;
    EXPECT_EQ(model::digest(train(train_set, options).model), model::digest(whole.model));
}

TEST(Trainer, RefusesTheCheckpointOfAnotherRun) {
    const data::Dataset train_set = digits("train");
    TrainOptions options = small_run(train_set, true);
    options.checkpoint = scratch("other");
    options.checkpoint_steps = 1;
    (void)train(train_set, options);
    options.resume = true;
    options.privacy->noise_multiplier = 0.9;
    EXPECT_THAT(message_of([&] { train(train_set, options); }, ErrorCode::kRefused),
                HasSubstr("other data, model or options"));
    options.privacy->noise_multiplier = 1;
    write_file_atomically(options.checkpoint, read_text_file(options.checkpoint).substr(0, 500));
    EXPECT_THAT(message_of([&] { train(train_set, options); }, ErrorCode::kCorrupt),
                HasSubstr("other"));
}

// Per-layer limits come from the plan, the noise from the current norm: a smaller norm in the file
// would be noise that is too small.
TEST(Trainer, RefusesACheckpointWithAnotherClippingNorm) {
    const data::Dataset train_set = digits("train");
    for (dp::ClippingKind kind : {dp::ClippingKind::kPerLayer, dp::ClippingKind::kFlat}) {
        TrainOptions options = small_run(train_set, true);
        options.privacy->clipping = kind;
        options.checkpoint = scratch("norm");
        options.checkpoint_steps = 1;
        (void)train(train_set, options);
        Checkpoint checkpoint = load_checkpoint(options.checkpoint);
        EXPECT_EQ(std::filesystem::status(options.checkpoint).permissions(),
                  std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
        options.resume = true;
        EXPECT_NO_THROW(train(train_set, options));
        checkpoint.clipping_norm *= 1e-6;
        save_checkpoint(checkpoint, options.checkpoint);
        EXPECT_THAT(message_of([&] { train(train_set, options); }, ErrorCode::kCorrupt),
                    HasSubstr("another clipping norm"));
    }
}

// A position set back would take steps again whose guarantee is spent.
TEST(Trainer, RefusesACheckpointWhosePositionWasChanged) {
    const data::Dataset train_set = digits("train");
    TrainOptions options = small_run(train_set, true);
    options.checkpoint = scratch("sealed");
    options.checkpoint_steps = 1;
    options.checkpoint_seal = [](const std::string& text) {
        return std::to_string(std::hash<std::string>()(text + "key"));
    };
    (void)train(train_set, options);
    options.resume = true;
    EXPECT_NO_THROW(train(train_set, options));
    const Seal other = [](const std::string&) { return std::string("guess"); };
    Checkpoint checkpoint = load_checkpoint(options.checkpoint, options.checkpoint_seal);
    --checkpoint.steps_done;
    save_checkpoint(checkpoint, options.checkpoint, other);
    EXPECT_THAT(message_of([&] { train(train_set, options); }, ErrorCode::kCorrupt),
                HasSubstr("its seal does not fit"));
    save_checkpoint(checkpoint, options.checkpoint);
    EXPECT_THAT(message_of([&] { train(train_set, options); }, ErrorCode::kCorrupt),
                HasSubstr("seal"));
}

TEST(Trainer, RefusesATaskThatTheDataIsNotFor) {
    const data::Dataset classes = digits("train");
    TrainOptions options = small_run(classes, true);
    options.spec.task = model::Task::kRegression;
    EXPECT_THAT(message_of([&] { train(classes, options); }, ErrorCode::kInvalid),
                HasSubstr("has no targets"));
    data::Dataset numbers = classes;
    numbers.targets.assign(numbers.labels.begin(), numbers.labels.end());
    numbers.labels.clear();
    EXPECT_THAT(message_of([&] { train(numbers, small_run(classes, true)); }, ErrorCode::kInvalid),
                HasSubstr("has no labels"));
}

TEST(Trainer, CheckpointsHoldNoKeysAndNoRandomState) {
    const data::Dataset train_set = digits("train");
    TrainOptions options = small_run(train_set, true);
    options.checkpoint = scratch("keys");
    options.checkpoint_steps = 1;
    (void)train(train_set, options);
    const std::string text = read_text_file(options.checkpoint);
    for (const char* word : {"seed", "random", "rng", "key"}) {
        EXPECT_EQ(text.substr(0, text.find("data_offsets")).find(word), std::string::npos) << word;
    }
}

TEST(Trainer, RunsOfOneSeedAgreeAndPrivateRunsDoNot) {
    const data::Dataset train_set = digits("train");
    TrainOptions options = small_run(train_set, false);
    options.step_random = nullptr;
    EXPECT_EQ(model::digest(train(train_set, options).model),
              model::digest(train(train_set, options).model));
    TrainOptions private_options = small_run(train_set, true);
    private_options.step_random = nullptr;
    EXPECT_NE(model::digest(train(train_set, private_options).model),
              model::digest(train(train_set, private_options).model));
}

// With steps that change next to nothing the result is what the run began with, private or not.
TEST(Trainer, BeginsWithPretrainedWeights) {
    const data::Dataset train_set = digits("train");
    const model::Model start = train(train_set, small_run(train_set, false)).model;
    for (bool private_run : {false, true}) {
        TrainOptions options = small_run(train_set, private_run);
        options.pretrained = start.weights;
        options.schedule.learning_rate = 1e-12;
        const TrainResult result = train(train_set, options);
        for (const auto& [name, weight] : start.weights) {
            const auto& got = result.model.weights.at(name).values;
            for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], weight.values[i], 1e-6);
        }
        const std::string with = settings_text(options);
        options.pretrained.clear();
        EXPECT_NE(settings_text(options), with);  // checkpoints of one are not for the other
    }
    TrainOptions options = small_run(train_set, false);
    options.pretrained = start.weights;
    options.pretrained.begin()->second.shape = {1};
    EXPECT_THAT(message_of([&] { train(train_set, options); }, ErrorCode::kInvalid),
                HasSubstr("the pretrained model has no weight"));
    options.pretrained = start.weights;
    options.pretrained["more"] = {};
    EXPECT_THAT(message_of([&] { train(train_set, options); }, ErrorCode::kInvalid),
                HasSubstr("layers that the model has not"));
}

TEST(Trainer, OptionsOutOfRangeAreNamed) {
    const data::Dataset train_set = digits("train");
    const auto message = [&](const std::function<void(TrainOptions&)>& change,
                             ErrorCode code = ErrorCode::kUsage) {
        TrainOptions options = small_run(train_set, true);
        change(options);
        return message_of([&] { train(train_set, options); }, code);
    };
    EXPECT_THAT(message([](auto& o) { o.batch_size = 100000; }),
                HasSubstr("batch size must be between 1 and the"));
    EXPECT_THAT(message([](auto& o) { o.epochs = 0; }), HasSubstr("epochs must be finite and > 0"));
    EXPECT_THAT(message([](auto& o) { o.schedule.learning_rate = NAN; }),
                HasSubstr("learning rate"));
    EXPECT_THAT(message([](auto& o) { o.privacy->delta = 1.5; }), HasSubstr("delta"));
    EXPECT_THAT(message([](auto& o) { o.privacy->noise_multiplier = -1; }), HasSubstr("noise"));
    EXPECT_THAT(message([](auto& o) {
                    o.privacy->noise_multiplier.reset();
                    o.privacy->target_epsilon = 0;
                }),
                HasSubstr("epsilon"));
    EXPECT_THAT(message([](auto& o) { o.augmentation.views = 0; }), HasSubstr("views"));
    EXPECT_THAT(message([](auto& o) { o.spec.input_shape = {5}; }, ErrorCode::kInvalid),
                HasSubstr("another shape"));
    data::Dataset empty = train_set;
    empty.inputs.clear();
    empty.labels.clear();
    TrainOptions options = small_run(train_set, true);
    EXPECT_THAT(message_of([&] { train(empty, options); }, ErrorCode::kUsage),
                HasSubstr("no examples"));
}

// The steps of private recipes are for clipped gradients: without clipping networks diverge.
TEST(Recipes, RunsWithoutPrivacyLearn) {
    const data::Dataset train_set = digits("train"), test_set = digits("test");
    const Recipe& recipe = default_recipe(train_set, std::nullopt);
    for (const char* name : {"logistic", "mlp"}) {
        TrainOptions options = options_without_privacy(recipe, train_set.size());
        options.epochs = 10;
        options.spec = spec_for(train_set, name, recipe);
        const TrainResult result = train(train_set, options, &test_set);
        EXPECT_GT(result.curve.back().test_accuracy.value_or(0), 0.85) << name;
    }
}

TEST(Recipes, AreCompleteAndFoundByName) {
    for (const Recipe& recipe : recipes())
        EXPECT_EQ(recipe_named(recipe.name).summary, recipe.summary);
    EXPECT_THAT(message_of([] { recipe_named("nothing"); }, ErrorCode::kUsage),
                HasSubstr("no recipe named nothing"));
    EXPECT_EQ(default_recipe(digits("train"), 3.0).name, "small-image");
}

}  // namespace
}  // namespace ward::train
