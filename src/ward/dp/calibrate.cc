#include "ward/dp/calibrate.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "ward/core/error.h"
#include "ward/dp/pld.h"
#include "ward/dp/rdp.h"

namespace ward::dp {
namespace {

constexpr double kLeast = 0.01;
constexpr double kGreatest = 1e9;

// log of epsilon over its target at exp(log_sigma): falls as the noise grows.
using Excess = std::function<double(double log_sigma)>;

[[noreturn]] void fail(double target, double delta) {
    std::ostringstream text;
    text << "no noise multiplier up to 1e9 gives epsilon " << target << " at delta " << delta;
    throw Error(ErrorCode::kUsage, text.str(), "allow a larger epsilon or take fewer steps");
}

struct Bracket {
    double low, high;              // log sigma
    double low_value, high_value;  // excess > 0 at low, <= 0 at high
};

// Regula falsi with the Illinois rule; ends on the private side.
double refine(const Excess& excess, Bracket b, double tolerance) {
    for (int i = 0, side = 0; i < 60 && b.high - b.low > tolerance; ++i) {
        double share = b.low_value / (b.low_value - b.high_value);
        if (!std::isfinite(share)) share = 0.5;
        // Half a tolerance inside, so that the last step closes the bracket from the far side.
        const double inset = tolerance / 2 / (b.high - b.low);
        const double middle = b.low + std::clamp(share, inset, 1 - inset) * (b.high - b.low);
        const double value = excess(middle);
        if (value > 0) {
            b.low = middle;
            b.low_value = value;
            if (side == -1) b.high_value /= 2;
            side = -1;
        } else {
            b.high = middle;
            b.high_value = value;
            if (value > -tolerance) break;
            if (side == 1) b.low_value /= 2;
            side = 1;
        }
    }
    return std::exp(b.high);
}

// A bracket around the root found by walking from `start`, and the root.
double solve(const Excess& excess, double start, double stride, double tolerance, double target,
             double delta) {
    double x = std::clamp(std::log(start), std::log(kLeast), std::log(kGreatest));
    double value = excess(x);
    Bracket bracket{};
    if (value > 0) {
        do {
            if (x >= std::log(kGreatest)) fail(target, delta);
            bracket.low = x;
            bracket.low_value = value;
            x = std::min(x + stride, std::log(kGreatest));
            stride *= 2;
            value = excess(x);
        } while (value > 0);
        bracket.high = x;
        bracket.high_value = value;
    } else {
        do {
            bracket.high = x;
            bracket.high_value = value;
            if (x <= std::log(kLeast)) return kLeast;
            x = std::max(x - stride, std::log(kLeast));
            stride *= 2;
            value = excess(x);
        } while (value <= 0);
        bracket.low = x;
        bracket.low_value = value;
    }
    return refine(excess, bracket, tolerance);
}

}  // namespace

double calibrate_noise_multiplier(double target_epsilon, double delta, double sampling_rate,
                                  int64_t steps, Accountant accountant) {
    require_valid_epsilon(target_epsilon);
    require_valid_delta(delta);
    SampledGaussianPhase phase{sampling_rate, 1, steps};
    require_valid_phases({&phase, 1});
    if (steps == 0) return kLeast;
    const auto log_ratio = [&](double epsilon) {
        return epsilon > 0 ? std::log(epsilon / target_epsilon) : -50.0;
    };
    const auto at = [&](double log_sigma) {
        phase.noise_multiplier = std::clamp(std::exp(log_sigma), kLeast, kGreatest);
        return std::span<const SampledGaussianPhase>(&phase, 1);
    };
    const Excess by_rdp = [&](double x) { return log_ratio(rdp_epsilon(at(x), delta).epsilon); };
    const Excess by_pld = [&](double x) { return log_ratio(pld_epsilon(at(x), delta).upper); };
    if (accountant == Accountant::kRdp) {
        return solve(by_rdp, 1, 0.7, 1e-5, target_epsilon, delta);
    }
    const double start = solve(by_rdp, 1, 0.7, 0.02, target_epsilon, delta);
    if (start <= kLeast) return kLeast;  // already the looser accountant is content
    // Coarse grids first: RDP may be far off where steps are few or rates small.
    const Excess coarsely = [&](double x) {
        return log_ratio(pld_epsilon(at(x), delta, {0.02, 20}).upper);
    };
    const double near = solve(coarsely, start, 0.08, 3e-3, target_epsilon, delta);
    return solve(by_pld, near, 3e-3, 5e-5, target_epsilon, delta);
}

}  // namespace ward::dp
