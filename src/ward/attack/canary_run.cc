#include "ward/attack/canary_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "ward/attack/membership.h"
#include "ward/attack/shadow.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

void require_private(const train::TrainOptions& options) {
    if (!options.privacy) {
        throw Error(ErrorCode::kUsage, "an audit of a guarantee needs a private training",
                    "set a privacy target");
    }
}

std::vector<uint8_t> coins(int64_t count, Random& random) {
    std::vector<uint8_t> heads(count);
    for (uint8_t& head : heads) head = static_cast<uint8_t>(random.below(2));
    return heads;
}

// Coordinates of the canaries among all trainable parameters: different ones, in no order.
std::vector<int64_t> places(int64_t canaries, int64_t parameters, Random& random) {
    std::vector<int64_t> all(parameters);
    std::iota(all.begin(), all.end(), 0);
    random.shuffle(std::span(all));
    all.resize(canaries);
    return all;
}

at::Tensor flattened(const std::vector<at::Tensor>& gradients) {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& gradient : gradients)
        if (gradient.defined()) parts.push_back(gradient.flatten().to(at::kDouble));
    return at::cat(parts);
}

int64_t trainable_parameters(const model::ModelSpec& spec) {
    int64_t count = 0;
    for (const model::ParameterSpec& parameter : model::parameters(spec))
        if (!parameter.frozen) count += model::element_count(parameter.shape);
    return count;
}

data::Dataset with_rows(data::Dataset data, const data::Dataset& more) {
    data.inputs.insert(data.inputs.end(), more.inputs.begin(), more.inputs.end());
    data.labels.insert(data.labels.end(), more.labels.begin(), more.labels.end());
    data.groups.clear();
    return data;
}

}  // namespace

double step_evidence(double released, double sampling_rate, double sigma) {
    const double exponent = (2 * released - 1) / (2 * sigma * sigma);
    // ln(1 - q + q e^x) without overflow.
    if (exponent > 30)
        return std::log(sampling_rate) + exponent +
               std::log1p((1 - sampling_rate) / sampling_rate * std::exp(-exponent));
    return std::log1p(sampling_rate * std::expm1(exponent));
}

CanaryRun audit_gradient_space(const data::Dataset& data, const train::TrainOptions& options,
                               const GradientAuditOptions& audit, Random& random) {
    const Clock::time_point start = Clock::now();
    require_private(options);
    const int64_t parameters = trainable_parameters(options.spec);
    if (audit.canaries < 1 || audit.canaries > parameters) {
        throw Error(ErrorCode::kUsage,
                    "canaries must be between 1 and the " + std::to_string(parameters) +
                        " trainable parameters, got " + std::to_string(audit.canaries));
    }
    const dp::PrivacyPlan plan = train::plan_for(options, data);
    CanaryRun run;
    run.claim = claim_of(plan);
    run.game.inserted = coins(audit.canaries, random);
    run.game.scores.assign(audit.canaries, 0);
    const std::vector<int64_t> coordinates = places(audit.canaries, parameters, random);

    train::GradientCanaries canaries;
    const double norm = plan.clipping_norm();
    for (int64_t i = 0; i < audit.canaries; ++i) {
        if (run.game.inserted[i])
            canaries.inserted.push_back({coordinates[i], audit.length * norm});
    }
    const double unit = norm / static_cast<double>(plan.settings().expected_batch);
    const double sigma = plan.noise_sigma_steps() * plan.grid_step();
    canaries.watched = coordinates;
    canaries.observe = [&](int64_t, const std::vector<at::Tensor>& released,
                           const std::vector<double>& examples) {
        const at::Tensor flat = flattened(released);
        const double* values = flat.data_ptr<double>();
        for (int64_t i = 0; i < audit.canaries; ++i) {
            const double own = values[coordinates[i]] / unit - examples[i] / norm;
            run.game.scores[i] += step_evidence(own, plan.sampling_rate(), sigma);
        }
    };
    train::TrainOptions with_canaries = options;
    with_canaries.canaries = &canaries;
    train::train(data, with_canaries);
    run.seconds = seconds_since(start);
    return run;
}

CanaryRun audit_input_space(const data::Dataset& data, const data::Dataset& canaries,
                            const train::TrainOptions& options, Random& random) {
    const Clock::time_point start = Clock::now();
    require_private(options);
    if (canaries.size() == 0 || canaries.example_shape != data.example_shape ||
        canaries.labels.empty()) {
        throw Error(ErrorCode::kInvalid, "the canaries do not fit the data",
                    "canaries are labelled examples of the same shape");
    }
    CanaryRun run;
    run.game.inserted = coins(canaries.size(), random);
    std::vector<int64_t> chosen;
    for (int64_t i = 0; i < canaries.size(); ++i)
        if (run.game.inserted[i]) chosen.push_back(i);
    const data::Dataset all = with_rows(data, data::select_rows(canaries, chosen));
    const train::TrainResult result = train::train(all, options);
    run.claim = claim_of(*result.plan);
    // What the model knew of each before it was trained takes the difficulty out.
    const nn::Network untrained(options.spec, options.seed);
    model::Model before{options.spec, untrained.export_weights(), {}};
    const Confidence after = confidence_of(result.model, canaries);
    const Confidence at_first = confidence_of(before, canaries);
    for (int64_t i = 0; i < canaries.size(); ++i)
        run.game.scores.push_back(after.log_p[i] - at_first.log_p[i]);
    run.seconds = seconds_since(start);
    return run;
}

data::Dataset mislabelled(const data::Dataset& examples, Random& random) {
    data::Dataset result = examples;
    const auto classes = static_cast<uint64_t>(examples.class_names.size());
    if (classes < 2) throw Error(ErrorCode::kInvalid, "wrong labels need at least 2 classes");
    for (int64_t& label : result.labels) {
        const auto shift = static_cast<int64_t>(1 + random.below(classes - 1));
        label = (label + shift) % static_cast<int64_t>(classes);
    }
    return result;
}

}  // namespace ward::attack
