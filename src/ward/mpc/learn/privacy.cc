#include "ward/mpc/learn/privacy.h"

#include "ward/core/error.h"

namespace ward::mpc {
namespace {

int64_t weight_count(const NetworkShape& shape) {
    size_t count = 0;
    for (const NetworkStep& step : steps_of(shape)) {
        if (step.has_weights()) {
            count += (step.weight_rows() + 1) * step.weight_cols();
        }
    }
    return static_cast<int64_t>(count);
}

dp::PlanRequest request_of(const TrainingJob& job) {
    if (!(job.options.clipping_norm > 0 && job.delta > 0)) {
        throw Error(ErrorCode::kUsage, "the job has no clipping norm or no delta",
                    "give privacy: {clipping_norm: ..., delta: ..., epsilon: ...}");
    }
    dp::PlanRequest request;
    request.examples = static_cast<int64_t>(job.examples);
    request.expected_batch = request.examples;
    request.steps = job.epochs;
    request.delta = job.delta;
    request.clipping_norm = job.options.clipping_norm;
    request.accountant = dp::Accountant::kRdp;
    request.dimension = weight_count(job.shape);
    return request;
}

}  // namespace

dp::PrivacyPlan privacy_plan(const TrainingJob& job) {
    dp::PlanRequest request = request_of(job);
    request.noise_multiplier = job.options.noise_multiplier;
    return dp::PrivacyPlan::create(request);
}

double noise_for(const TrainingJob& job, double epsilon) {
    dp::PlanRequest request = request_of(job);
    request.target_epsilon = epsilon;
    return dp::PrivacyPlan::create(request).noise_multiplier();
}

std::vector<std::string> privacy_remarks(Security security) {
    return {
        "trained on shares: every example takes part in one step of each epoch; batches are fixed "
        "and public, so no amplification by sampling is claimed, and one epoch is accounted as one "
        "step that takes every example",
        "neighbouring data sets: one example replaced by one that adds nothing; the number of "
        "examples is public",
        security == Security::kMalicious
            ? "the guarantee holds against one of the three computing parties even if it deviates "
              "from the protocol, but for a probability of 2^-41 per step, not against two that "
              "collude"
            : "the guarantee holds against one of the three computing parties as long as it "
              "follows the protocol, not against two that collude",
    };
}

}  // namespace ward::mpc
