#include "ward/train/internal/run_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ward/core/error.h"
#include "ward/nn/network.h"
#include "ward/train/private_step.h"

namespace ward::train {
namespace {

constexpr double kMostSteps = 1e9;
constexpr int64_t kMostViews = 1024;

void require(bool holds, const std::string& message, const std::string& hint = {}) {
    if (!holds) throw Error(ErrorCode::kUsage, message, hint);
}

double default_delta(int64_t examples) {
    return std::pow(10, std::floor(-std::log10(10.0 * static_cast<double>(examples))));
}

int64_t trainable_parameters(const model::ModelSpec& spec) {
    int64_t count = 0;
    for (const model::ParameterSpec& parameter : model::parameters(spec)) {
        if (parameter.frozen) continue;
        count += std::accumulate(parameter.shape.begin(), parameter.shape.end(), int64_t{1},
                                 std::multiplies<>());
    }
    return count;
}

// The longest run of this kind that keeps to the budget. It depends on public figures alone.
dp::PrivacyPlan within_budget(dp::PlanRequest request, double max_epsilon) {
    const dp::PrivacyPlan plan = dp::PrivacyPlan::create(request);
    if (max_epsilon <= 0 || plan.epsilon().upper <= max_epsilon) return plan;
    int64_t within = 0, beyond = plan.steps();
    while (beyond - within > 1) {
        const int64_t middle = within + (beyond - within) / 2;
        (plan.epsilon_after(middle).upper <= max_epsilon ? within : beyond) = middle;
    }
    if (within == 0) {
        throw Error(ErrorCode::kRefused,
                    "one step at noise multiplier " + std::to_string(*request.noise_multiplier) +
                        " already spends more than epsilon " + std::to_string(max_epsilon),
                    "give more noise, a smaller batch or a larger --max-epsilon");
    }
    request.steps = within;
    return dp::PrivacyPlan::create(request);
}

}  // namespace

void check_options(const TrainOptions& options, const data::Dataset& data) {
    require(data.size() > 0, "data set " + data.name + " has no examples");
    require(options.batch_size >= 1 && options.batch_size <= data.size(),
            "batch size must be between 1 and the " + std::to_string(data.size()) +
                " examples, got " + std::to_string(options.batch_size),
            options.batch_size < 1 ? "choose a --batch of at least 1" : "choose a smaller --batch");
    require(std::isfinite(options.epochs) && options.epochs > 0,
            "epochs must be finite and > 0, got " + std::to_string(options.epochs));
    require(options.epochs * static_cast<double>(data.size()) <
                kMostSteps * static_cast<double>(options.batch_size),
            "epochs of " + std::to_string(options.epochs) + " are more than a billion steps",
            "choose fewer --epochs or a larger --batch");
    require(options.checkpoint_seconds > 0,
            "checkpoint seconds must be > 0, got " + std::to_string(options.checkpoint_seconds));
    require(options.schedule.warmup_fraction >= 0 && options.schedule.warmup_fraction <= 1,
            "warmup must be a share of the steps in [0, 1], got " +
                std::to_string(options.schedule.warmup_fraction));
    require(options.optimizer.weight_decay >= 0 && std::isfinite(options.optimizer.weight_decay),
            "weight decay must be finite and >= 0");
    require(options.ema_decay >= 0 && options.ema_decay < 1,
            "ema decay must be in [0, 1), got " + std::to_string(options.ema_decay));
    require(options.augmentation.views >= 1 && options.augmentation.views <= kMostViews &&
                options.augmentation.shift_pixels >= 0,
            "views must be between 1 and " + std::to_string(kMostViews) + ", and shift >= 0");
    require(std::isfinite(options.schedule.learning_rate) && options.schedule.learning_rate > 0,
            "learning rate must be finite and > 0, got " +
                std::to_string(options.schedule.learning_rate));
    require(options.micro_batch >= 0,
            "micro-batch must be >= 0, got " + std::to_string(options.micro_batch));
    require(options.canaries == nullptr || (options.privacy && options.checkpoint.empty()),
            "canaries are for private runs without a checkpoint");
    if (data.example_shape != options.spec.input_shape) {
        throw Error(ErrorCode::kInvalid,
                    "data set " + data.name + " has " + std::to_string(data.example_size()) +
                        " inputs per example in another shape than model " + options.spec.name +
                        " takes",
                    "choose a model for this kind of data");
    }
    const bool classification = options.spec.task == model::Task::kClassification;
    if (classification ? data.labels.empty() : data.targets.empty() || !data.labels.empty()) {
        throw Error(ErrorCode::kInvalid,
                    "model " + options.spec.name + " is for " +
                        (classification ? "classification" : "regression") + ", data set " +
                        data.name + " has no " + (classification ? "labels" : "targets"),
                    "choose a model for this kind of data");
    }
    if (classification && options.spec.outputs < static_cast<int64_t>(data.class_names.size())) {
        throw Error(ErrorCode::kInvalid, "the data has " + std::to_string(data.class_names.size()) +
                                             " classes, the model only " +
                                             std::to_string(options.spec.outputs) + " outputs");
    }
}

int64_t steps_of(const TrainOptions& options, int64_t examples) {
    const double steps =
        options.epochs * static_cast<double>(examples) / static_cast<double>(options.batch_size);
    return std::max<int64_t>(1, std::llround(steps));
}

dp::PrivacyPlan plan_for(const TrainOptions& options, const data::Dataset& data) {
    check_options(options, data);
    const PrivacyOptions& privacy = options.privacy.value();
    dp::PlanRequest request;
    request.examples = data.size();
    request.expected_batch = options.batch_size;
    request.steps = steps_of(options, data.size());
    request.delta = privacy.delta > 0 ? privacy.delta : default_delta(data.size());
    request.target_epsilon = privacy.target_epsilon;
    request.noise_multiplier = privacy.noise_multiplier;
    request.clipping = privacy.clipping;
    request.clipping_norm = privacy.clipping_norm;
    request.adaptive = privacy.adaptive;
    request.accountant = privacy.accountant;
    request.dimension = trainable_parameters(options.spec);
    request.sensitivity_margin = kSensitivityMargin;
    if (privacy.clipping == dp::ClippingKind::kPerLayer) {
        const auto layers = nn::trainable_layers(options.spec);
        request.layer_norms.assign(layers,
                                   privacy.clipping_norm / std::sqrt(static_cast<double>(layers)));
    }
    return within_budget(request, privacy.max_epsilon);
}

}  // namespace ward::train
