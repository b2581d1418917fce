#include "ward/dp/internal/loss_moments.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "ward/dp/internal/normal.h"

namespace ward::dp::internal {

LossMoments::LossMoments(std::span<const SampledGaussianPhase> phases, Direction direction,
                         double right_mass) {
    const double reach = normal_tail_inverse(std::clamp(right_mass / 2, 1e-290, 0.4));
    for (const SampledGaussianPhase& phase : phases) {
        const double q = phase.sampling_rate, sigma = phase.noise_multiplier;
        const StepLoss step(q, sigma, direction);
        Phase nodes{static_cast<double>(phase.steps), {}, {}};
        const double first = -14 * sigma, last = 1 + reach * sigma;
        const double wanted = (last - first) / (std::min(sigma, sigma * sigma) / 8);
        const int count = static_cast<int>(std::clamp(wanted, 200.0, 8000.0));
        const double dt = (last - first) / count;
        const double norm = std::log(dt / sigma) - std::log(2 * std::numbers::pi) / 2;
        for (int i = 0; i <= count; ++i) {
            const double t = first + i * dt;
            const double a = -t * t / (2 * sigma * sigma);
            const double b = -(t - 1) * (t - 1) / (2 * sigma * sigma);
            double log_p = b;
            if (direction == Direction::kRemove && q < 1) {
                const double x = std::log1p(-q) + a, y = std::log(q) + b;
                log_p = std::max(x, y) + std::log1p(std::exp(-std::abs(x - y)));
            }
            nodes.loss.push_back(step.loss(t));
            nodes.log_weight.push_back(log_p + norm);
        }
        phases_.push_back(std::move(nodes));
    }
}

LossMoments::Value LossMoments::moments(const Phase& phase, double theta) {
    double top = -std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < phase.loss.size(); ++i) {
        top = std::max(top, phase.log_weight[i] + theta * phase.loss[i]);
    }
    double s0 = 0, s1 = 0;
    for (size_t i = 0; i < phase.loss.size(); ++i) {
        const double w = std::exp(phase.log_weight[i] + theta * phase.loss[i] - top);
        s0 += w;
        s1 += w * phase.loss[i];
    }
    const double mean = s1 / s0;
    double s2 = 0;
    for (size_t i = 0; i < phase.loss.size(); ++i) {
        const double w = std::exp(phase.log_weight[i] + theta * phase.loss[i] - top);
        s2 += w * (phase.loss[i] - mean) * (phase.loss[i] - mean);
    }
    return {top + std::log(s0), mean, s2 / s0};
}

LossMoments::Value LossMoments::at(double theta) const {
    Value total;
    for (const Phase& phase : phases_) {
        const Value one = moments(phase, theta);
        total.k += phase.steps * one.k;
        total.slope += phase.steps * one.slope;
        total.curvature += phase.steps * one.curvature;
    }
    return total;
}

template <typename Condition>
double LossMoments::bisect_tilt(Condition too_small) const {
    double low = std::log(1e-9), high = std::log(1e5);
    if (!too_small(std::exp(low))) return 0;
    for (int i = 0; i < 50; ++i) {
        const double middle = (low + high) / 2;
        (too_small(std::exp(middle)) ? low : high) = middle;
    }
    return std::exp(low);
}

double LossMoments::tilt_for_delta(double delta) const {
    const double log_delta = std::log(delta);
    return bisect_tilt([&](double theta) {
        const Value v = at(theta);
        const double prefactor =
            1 + theta * (1 + theta) * std::sqrt(2 * std::numbers::pi * v.curvature);
        return v.k - theta * v.slope - std::log(prefactor) > log_delta;
    });
}

double LossMoments::tilt_for_epsilon(double epsilon) const {
    return bisect_tilt([&](double theta) { return at(theta).slope < epsilon; });
}

LossMoments::Window LossMoments::window(double theta, double decay) const {
    const Value v = at(theta);
    const double unit = std::sqrt(2 * decay / std::max(v.curvature, 1e-300));
    Window window{-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity(),
                  unit, unit};
    for (int half_octave = -14; half_octave <= 6; ++half_octave) {
        const double lambda = unit * std::exp2(0.5 * half_octave);
        const double high = (k(theta + lambda) - v.k + decay) / lambda;
        const double low = (v.k - k(theta - lambda) - decay) / lambda;
        if (high < window.high) {
            window.high = high;
            window.lambda_high = lambda;
        }
        if (low > window.low) {
            window.low = low;
            window.lambda_low = lambda;
        }
    }
    return window;
}

double LossMoments::k(double theta) const {
    double total = 0;
    for (const Phase& phase : phases_) {
        double top = -std::numeric_limits<double>::infinity();
        for (size_t i = 0; i < phase.loss.size(); ++i) {
            top = std::max(top, phase.log_weight[i] + theta * phase.loss[i]);
        }
        double sum = 0;
        for (size_t i = 0; i < phase.loss.size(); ++i) {
            sum += std::exp(phase.log_weight[i] + theta * phase.loss[i] - top);
        }
        total += phase.steps * (top + std::log(sum));
    }
    return total;
}

double LossMoments::step_deviation(double theta) const {
    double variance = 0, steps = 0;
    for (const Phase& phase : phases_) {
        variance += phase.steps * moments(phase, theta).curvature;
        steps += phase.steps;
    }
    return std::sqrt(variance / steps);
}

}  // namespace ward::dp::internal
