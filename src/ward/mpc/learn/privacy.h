// The privacy guarantee of a training on shares.
//
// What runs: in every step the gradients of the batch's examples are clipped to norm C on shares
// (clipping.h), summed, and get discrete Gaussian noise that no party knows (noise.h). The batches
// of an epoch are disjoint and their order is public, so every example takes part in at most
// `epochs` steps.
//
// How it is accounted: neighbouring data sets differ in one example, which is replaced by one that
// adds nothing (the number of examples is public). Only the steps with that example differ, one per
// epoch, each a Gaussian mechanism of sensitivity C; given the sums released before, all others are
// the same. So the whole is `epochs` Gaussian mechanisms, and is accounted as a PrivacyPlan of as
// many steps that take every example: no amplification by sampling is claimed. Accounting is by
// Renyi divergence, whose curve is the same for the discrete Gaussian (Canonne, Kamath, Steinke
// 2020, proposition 5 and theorem 14).
//
// Against whom: whoever sees the model and all noisy sums, and one of the three parties: it knows
// its own third of the noise, and what the two others add has the variance accounted for. It must
// follow the protocol, unless the job has Security::kMalicious (noise.h, clipping.h; the checks
// fail with a probability of 2^-41 each, which comes on top of delta). Two parties that collude
// learn everything. Thread safety: free functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ward/dp/plan.h"
#include "ward/mpc/learn/job.h"

namespace ward::mpc {

// Throws Error kUsage when the job has no clipping, noise and delta, and what PrivacyPlan throws.
dp::PrivacyPlan privacy_plan(const TrainingJob& job);

// The noise multiplier with which the job's clipping gives this epsilon at its delta.
double noise_for(const TrainingJob& job, double epsilon);

// What a card must say beside the plan's own statement.
std::vector<std::string> privacy_remarks(Security security);

}  // namespace ward::mpc
