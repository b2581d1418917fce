// Trainings with canaries in them: the games that `attack/privacy_audit.h` reads.
//
// In gradient space a canary is a made-up gradient in one coordinate of its own, and the auditor
// sees every released gradient: the strongest adversary of the proof. Its score is the
// log-likelihood ratio of what was released in its coordinate, as one Poisson-sampled Gaussian step
// after another. In input space a canary is an ordinary example, usually with a wrong label, and
// the auditor sees the final model only: what a user of the model could do.
//
// Threat: an auditor, who chooses the coins. The training learns nothing of them but through the
// canaries. Thread safety: none.
#pragma once

#include <cstdint>

#include "ward/attack/privacy_audit.h"
#include "ward/core/random.h"
#include "ward/data/dataset.h"
#include "ward/train/trainer.h"

namespace ward::attack {

struct CanaryRun {
    AuditGame game;
    AuditClaim claim;  // what the run says of itself
    double seconds = 0;
};

struct GradientAuditOptions {
    int64_t canaries = 1000;  // at most as many as the model has trainable parameters
    // Length of a canary's gradient before clipping, in clipping norms: longer than 1, so that a
    // training that does not clip gives itself away.
    double length = 10;
};

// Half of the canaries (by coin) take part in a private training. Throws Error kUsage for a
// training that is not private or more canaries than parameters.
CanaryRun audit_gradient_space(const data::Dataset& data, const train::TrainOptions& options,
                               const GradientAuditOptions& audit, Random& random);

// The canaries that the coins choose join the data. Throws Error kInvalid where they do not fit.
CanaryRun audit_input_space(const data::Dataset& data, const data::Dataset& canaries,
                            const train::TrainOptions& options, Random& random);

// These examples with labels that are wrong.
data::Dataset mislabelled(const data::Dataset& examples, Random& random);

// ln of the likelihood ratio of one released coordinate, in clipping norms: Poisson sampling at
// rate q and noise sigma, canary against no canary.
double step_evidence(double released, double sampling_rate, double sigma);

}  // namespace ward::attack
