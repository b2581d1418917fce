#include "ward/dp/mechanism.h"

#include <cmath>
#include <sstream>

#include "ward/core/error.h"

namespace ward::dp {
namespace {

template <typename T>
void require(bool ok, const char* what, const char* expected, T got, const char* hint) {
    if (ok) return;
    std::ostringstream text;
    text << what << " must be " << expected << ", got " << got;
    throw Error(ErrorCode::kUsage, text.str(), hint);
}

}  // namespace

void require_valid_phases(std::span<const SampledGaussianPhase> phases) {
    for (const SampledGaussianPhase& phase : phases) {
        const double q = phase.sampling_rate;
        require(q > 0 && q <= 1, "sampling rate", "in (0, 1]", q,
                "it is the expected batch size divided by the number of examples");
        const double sigma = phase.noise_multiplier;
        require(sigma > 0 && std::isfinite(sigma), "noise multiplier", "finite and > 0", sigma,
                "it is the noise standard deviation divided by the clipping norm");
        require(sigma >= 0.01 && sigma <= 1e9, "noise multiplier", "between 0.01 and 1e9", sigma,
                "below 0.01 there is no privacy to speak of");
        require(phase.steps >= 0 && phase.steps <= 1000000000000, "number of steps",
                "between 0 and 1e12", phase.steps, "count optimiser steps, not examples");
    }
}

void require_valid_delta(double delta) {
    require(delta > 0 && delta < 1, "delta", "in (0, 1)", delta,
            "a common choice is 1e-5, and below 1 / number of examples");
}

void require_valid_epsilon(double epsilon) {
    require(epsilon > 0 && std::isfinite(epsilon), "epsilon", "finite and > 0", epsilon,
            "common values lie between 0.1 and 10");
}

}  // namespace ward::dp
