// Training: one loop for private and non-private runs.
//
// A private run does what its PrivacyPlan says and nothing else: batches are Poisson samples,
// gradients are clipped and noised by PrivateStep, and nothing else is computed from training data.
// (Test accuracy, from other data, is.) A non-private run shuffles, and differs from a private one
// in nothing but sampling, clipping and noise.
//
// A run that is stopped at any moment, also by kill -9, can be resumed from its last checkpoint:
// the same plan, the same number of steps, the same final epsilon. Noise and sampling are drawn
// afresh from the system for every step, so no key is ever stored. What was computed after the last
// checkpoint is dropped unreleased.
//
// Thread safety: none.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ward/core/random.h"
#include "ward/data/dataset.h"
#include "ward/dp/plan.h"
#include "ward/model/model.h"
#include "ward/nn/network.h"
#include "ward/train/batch.h"
#include "ward/train/canaries.h"
#include "ward/train/checkpoint.h"
#include "ward/train/optimizer.h"
#include "ward/train/schedule.h"

namespace ward::train {

struct PrivacyOptions {
    std::optional<double> target_epsilon;    // exactly one
    std::optional<double> noise_multiplier;  // of these two
    double max_epsilon = 0;  // with a given noise: stop before more than this is spent; 0: no limit
    double delta = 0;        // 0: 1 / (10 N), rounded down to a power of ten
    dp::ClippingKind clipping = dp::ClippingKind::kFlat;
    double clipping_norm = 1;
    dp::AdaptiveClipping adaptive;
    dp::Accountant accountant = dp::Accountant::kPld;
};

struct TrainOptions {
    model::ModelSpec spec;
    std::optional<PrivacyOptions> privacy;  // nothing: a non-private run
    OptimizerOptions optimizer;
    Schedule schedule;
    int64_t batch_size = 256;  // expected size, for private runs
    double epochs = 10;
    double ema_decay = 0;  // in [0, 1); the model is the moving average when > 0
    Augmentation augmentation;
    int64_t micro_batch = 0;  // examples worked on at once; 0: by memory
    nn::Precision precision = nn::Precision::kFp32;
    std::string device = "cpu";
    uint64_t seed = 1;  // initial weights; order and dropout of a non-private run. Never noise
    // Weights to begin with, by the names and shapes of `spec`; empty: random ones. A guarantee
    // does not cover the examples that they come from.
    std::map<std::string, model::Weight> pretrained;
    bool show_training_loss = false;  // a leak that the privacy statement does not cover
    std::string checkpoint;           // file; empty: none
    // What a checkpoint remembers of its data, so that a run goes on with them only. Not a plain
    // digest: who has all rows but one could try that one. Empty: data are not compared.
    std::string data_mark;
    Seal checkpoint_seal;            // over a checkpoint's position; empty: not sealed
    double checkpoint_seconds = 60;  // between checkpoints
    int64_t checkpoint_steps = 0;    // also every so many steps, when > 0
    bool resume = false;
    int64_t evaluations = 10;  // points of the accuracy curve, when there is test data

    // When it turns true (from a signal handler or another thread) the run ends after its current
    // step: a checkpoint is written, where there is a file for it, and Error kInterrupted thrown.
    const std::atomic<bool>* stop = nullptr;

    // Examples beyond those of the data, for audits of private runs. Not with checkpoints.
    const GradientCanaries* canaries = nullptr;

    // Randomness of one step. For tests; the default draws from the system.
    std::function<Random(int64_t step)> step_random;
};

struct CurvePoint {
    int64_t step = 0;
    double epoch = 0;
    std::optional<double> epsilon;  // upper bound so far
    std::optional<double> test_accuracy;
    std::optional<double> training_loss;  // uncovered; only on request
};

struct TrainResult {
    model::Model model;
    std::optional<dp::PrivacyPlan> plan;
    int64_t steps = 0;
    std::vector<CurvePoint> curve;
    double seconds = 0;               // of this process's part of the run
    std::vector<int64_t> resumed_at;  // the steps from which the run went on after a stop
};

// All settings of the loop that decide about the model, as text to be digested: everything but the
// data, the privacy settings and what only changes speed or where things are kept.
std::string settings_text(const TrainOptions& options);

// The plan a run would follow, without running it. Throws Error kUsage or kRefused.
dp::PrivacyPlan plan_for(const TrainOptions& options, const data::Dataset& data);

// Steps of a run: epochs * examples / batch size, at least 1. A budget (max_epsilon) may end a
// private run earlier.
int64_t steps_of(const TrainOptions& options, int64_t examples);

// Throws Error kUsage (options out of range), kInvalid (data that does not fit the model), kRefused
// (a checkpoint of another run, a plan that cannot hold) and what reading or writing files throws.
TrainResult train(const data::Dataset& data, const TrainOptions& options,
                  const data::Dataset* test = nullptr);

}  // namespace ward::train
