#include "ward/dp/pld.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "ward/dp/gaussian.h"
#include "ward/dp/internal/composition.h"
#include "ward/dp/internal/loss_moments.h"
#include "ward/dp/internal/step_loss.h"

namespace ward::dp {
namespace {

using internal::ComposedLoss;
using internal::CompositionPlan;
using internal::Direction;
using internal::LossMoments;
using internal::StepLoss;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Phases that take part, the unsampled ones merged into one Gaussian (their mu^2 add up) and equal
// ones into one phase.
std::vector<SampledGaussianPhase> simplify(std::span<const SampledGaussianPhase> phases) {
    std::vector<SampledGaussianPhase> kept;
    double mu_squared = 0;
    for (const SampledGaussianPhase& phase : phases) {
        if (phase.steps == 0) continue;
        if (phase.sampling_rate == 1) {
            mu_squared += static_cast<double>(phase.steps) /
                          (phase.noise_multiplier * phase.noise_multiplier);
            continue;
        }
        const auto same = std::find_if(kept.begin(), kept.end(), [&](const auto& other) {
            return other.sampling_rate == phase.sampling_rate &&
                   other.noise_multiplier == phase.noise_multiplier;
        });
        if (same != kept.end()) {
            same->steps += phase.steps;
        } else {
            kept.push_back(phase);
        }
    }
    if (mu_squared > 0) kept.push_back({1, 1 / std::sqrt(mu_squared), 1});
    return kept;
}

// One step, or unsampled steps: the curve is known in closed form.
std::optional<double> closed_form_delta(std::span<const SampledGaussianPhase> phases,
                                        double epsilon) {
    if (phases.size() != 1 || phases[0].steps != 1) return std::nullopt;
    const double q = phases[0].sampling_rate, sigma = phases[0].noise_multiplier;
    return std::max(StepLoss(q, sigma, Direction::kRemove).delta(epsilon),
                    StepLoss(q, sigma, Direction::kAdd).delta(epsilon));
}

CertifiedValue closed_form_epsilon(std::span<const SampledGaussianPhase> phases, double delta) {
    const auto curve = [&](double epsilon) { return *closed_form_delta(phases, epsilon); };
    if (curve(0) <= delta) return {0, 0};
    double low = 0, high = 1;
    while (curve(high) > delta) high *= 2;
    while (high - low > 1e-14 * high) {
        const double middle = (low + high) / 2;
        (curve(middle) > delta ? low : high) = middle;
    }
    return {high * (1 + 1e-10), low * (1 - 1e-10)};
}

double total_steps(std::span<const SampledGaussianPhase> phases) {
    double steps = 0;
    for (const auto& phase : phases) steps += static_cast<double>(phase.steps);
    return steps;
}

// In the add direction no step loses more than -log(1 - q).
double greatest_add_loss(std::span<const SampledGaussianPhase> phases) {
    double sum = 0;
    for (const auto& phase : phases) {
        sum -= static_cast<double>(phase.steps) * std::log1p(-phase.sampling_rate);
    }
    return sum * (1 + 1e-12);
}

// What is asked of one direction: the epsilon at a delta or the delta at an epsilon.
struct Question {
    std::optional<double> delta, epsilon;

    double tilt(const LossMoments& moments) const {
        return delta ? moments.tilt_for_delta(*delta) : moments.tilt_for_epsilon(*epsilon);
    }
    CertifiedValue answer(const ComposedLoss& loss) const {
        return delta ? loss.epsilon(*delta) : loss.delta(*epsilon);
    }
    // What may be cut is relative to this.
    double least_delta() const { return delta.value_or(1e-15); }
};

// Tilt and window. The tilt at the saddle point gives the smallest rounding error, but where rare
// steps have a great loss its law has a long right tail; a smaller tilt whose rounding error still
// does not matter may need a much smaller window.
struct Layout {
    double theta = 0;
    LossMoments::Window window{};
};

Layout choose_layout(const LossMoments& moments, const Question& question, double steps) {
    const double saddle = question.tilt(moments);
    const auto at_saddle = moments.at(saddle);
    const double epsilon = question.epsilon.value_or(at_saddle.slope);
    const double log_delta =
        question.delta ? std::log(*question.delta) : at_saddle.k - saddle * epsilon - 5;
    // Rounding grows with the steps, by about 3e-14 each; 1e3 is the root of the number of cells.
    const double affordable = std::log(1e-5 / (3e-14 * 1e3 * steps));
    Layout best;
    double least = kInfinity;
    for (double share : {1.0, 0.75, 0.5, 0.25, 0.1, 0.0}) {
        const double theta = saddle * share;
        // Errors relative to the tilted law are exp(excess) times larger relative to delta.
        const double excess = std::max(0.0, moments.at(theta).k - theta * epsilon - log_delta);
        if (share < 1 && excess > affordable) break;
        const auto window = moments.window(theta, excess + 13);
        if (window.width() < least) {
            least = window.width();
            best = {theta, window};
        }
    }
    return best;
}

// Composes on finer and finer grids until the bounds of this direction are close, or until its
// upper bound no longer matters beside `enough`.
CertifiedValue bound_direction(std::span<const SampledGaussianPhase> phases, Direction direction,
                               const Question& question, const PldOptions& options, double enough) {
    double greatest = kInfinity;  // total loss: bounded in the add direction
    if (direction == Direction::kAdd) greatest = greatest_add_loss(phases);
    if (question.epsilon && *question.epsilon >= greatest) return {0, 0};
    if (question.delta && greatest <= enough) return {greatest, 0};
    const double steps = total_steps(phases);
    const double right_mass = 1e-5 * question.least_delta() / steps;
    const LossMoments moments(phases, direction, right_mass);
    const auto [theta, window] = choose_layout(moments, question, steps);
    double low = window.low;
    double high = window.high;
    if (question.epsilon) {  // the window must reach around epsilon
        low = std::min(low, *question.epsilon - window.width() / 64);
        high = std::max(high, *question.epsilon + window.width() / 64);
    }
    const double width = high - low;
    CompositionPlan plan;
    plan.direction = direction;
    plan.theta = theta;
    plan.low = low;
    plan.lambda_low = window.lambda_low;
    plan.lambda_high = window.lambda_high;
    // A loss above max_loss takes the total out of the window, since no step loses less than
    // log(1 - q); those beyond count as infinite.
    double max_loss = high;
    for (const auto& phase : phases) {
        max_loss -= static_cast<double>(phase.steps) * std::log1p(-phase.sampling_rate);
    }
    plan.cut = {1e-9 / steps, right_mass, max_loss};
    // The grid blurs each step by about h^2 / 10: little beside its variance and beside its mean.
    double h = std::min({0.25 * moments.step_deviation(theta), width / 1024,
                         std::sqrt(1e-2 * std::max(high, 1e-9) / steps)});
    CertifiedValue best{question.delta ? greatest : 1, 0};
    for (int round = 0; round < 6; ++round) {
        plan.log2_size = std::clamp(static_cast<int>(std::ceil(std::log2(width / h))), 10,
                                    options.max_log2_grid);
        // Fill the transform: the finest step whose window is wide enough.
        plan.h = width / (std::ldexp(1.0, plan.log2_size) - 2);
        const CertifiedValue value = question.answer(ComposedLoss(phases, plan));
        best = {std::min(best.upper, value.upper), std::max(best.lower, value.lower)};
        if (best.upper <= enough) return best;
        const double gap = std::isfinite(best.upper) ? (best.upper - best.lower) / best.upper : 1;
        if (!(gap > options.relative_gap) || plan.log2_size == options.max_log2_grid) return best;
        h = plan.h * std::clamp(std::sqrt(options.relative_gap / gap) * 0.9, 0.1, 0.5);
    }
    return best;
}

CertifiedValue bound_both(std::span<const SampledGaussianPhase> phases, const Question& question,
                          const PldOptions& options) {
    const CertifiedValue remove = bound_direction(phases, Direction::kRemove, question, options, 0);
    const CertifiedValue add =
        bound_direction(phases, Direction::kAdd, question, options, remove.lower);
    return {std::max(remove.upper, add.upper), std::max(remove.lower, add.lower)};
}

}  // namespace

CertifiedValue pld_epsilon(std::span<const SampledGaussianPhase> phases, double delta,
                           const PldOptions& options) {
    require_valid_phases(phases);
    require_valid_delta(delta);
    const auto kept = simplify(phases);
    if (kept.empty()) return {0, 0};
    if (kept.size() == 1 && kept[0].sampling_rate == 1) {
        const double epsilon = gaussian_epsilon(kept[0].noise_multiplier, delta);
        return {epsilon * (1 + 1e-10), epsilon * (1 - 1e-10)};
    }
    if (closed_form_delta(kept, 0)) return closed_form_epsilon(kept, delta);
    return bound_both(kept, {delta, std::nullopt}, options);
}

CertifiedValue pld_delta(std::span<const SampledGaussianPhase> phases, double epsilon,
                         const PldOptions& options) {
    require_valid_phases(phases);
    if (!(epsilon >= 0) || !std::isfinite(epsilon)) {
        require_valid_epsilon(epsilon == 0 ? -1 : epsilon);
    }
    const auto kept = simplify(phases);
    if (kept.empty()) return {0, 0};
    if (kept.size() == 1 && kept[0].sampling_rate == 1) {
        const double delta = gaussian_delta(kept[0].noise_multiplier, epsilon);
        return {delta * (1 + 1e-10), delta * (1 - 1e-10)};
    }
    if (const auto delta = closed_form_delta(kept, epsilon)) {
        return {*delta * (1 + 1e-10), *delta * (1 - 1e-10)};
    }
    return bound_both(kept, {std::nullopt, epsilon}, options);
}

}  // namespace ward::dp
