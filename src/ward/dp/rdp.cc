#include "ward/dp/rdp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "ward/core/error.h"

namespace ward::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// log(sum of exp) over values that arrive one by one.
class LogSum {
  public:
    void add(double value) {
        if (value == -kInfinity) return;
        if (value > top_) {
            sum_ = sum_ * std::exp(top_ - value) + 1;
            top_ = value;
        } else {
            sum_ += std::exp(value - top_);
        }
    }
    double value() const { return sum_ > 0 ? top_ + std::log(sum_) : -kInfinity; }

  private:
    double top_ = -kInfinity;
    double sum_ = 0;
};

double log_expm1(double x) { return x > 35 ? x : std::log(std::expm1(x)); }

double log_binomial(double n, double k) {
    return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

// log(E[r^a] - 1) for a whole order: with the binomial weights summing to one,
// E[r^a] - 1 = sum over k >= 2 of binom(a, k) (1-q)^(a-k) q^k (exp(k(k-1) / (2 sigma^2)) - 1),
// all terms positive.
double log_excess_whole(double q, double sigma, int order) {
    const double a = order;
    const double log_keep = std::log1p(-q);
    const double log_take = std::log(q);
    LogSum sum;
    for (int k = 2; k <= order; ++k) {
        const double gain = 0.5 * k * (k - 1.0) / (sigma * sigma);
        sum.add(log_binomial(a, k) + (a - k) * log_keep + k * log_take + log_expm1(gain));
    }
    return sum.value();
}

// log of r^a - 1 - a (r - 1) >= 0 for r = exp(l).
double log_convex_gap(double l, double a) {
    const double y = a * l;
    if (std::abs(y) < 0.03) {
        // Taylor: sum over n >= 2 of (a^n - a) l^n / n!, so that nothing cancels.
        double power = l;
        double a_power = a;
        double sum = 0;
        for (int n = 2; n <= 9; ++n) {
            power *= l / n;
            a_power *= a;
            sum += (a_power - a) * power;
        }
        return sum > 0 ? std::log(sum) : -kInfinity;
    }
    if (y > 40) return y + std::log1p(-a * std::exp(l - y));
    const double gap = std::expm1(y) - a * std::expm1(l);
    return gap > 0 ? std::log(gap) : -kInfinity;
}

// log(E[r^a] - 1) for any order a > 1, r = 1 - q + q exp((2x - 1) / (2 sigma^2)), x ~ N(0,
// sigma^2). Since E[r] = 1 the integrand may be r^a - 1 - a(r - 1), which is never negative. It is
// analytic in the strip |Im x| < pi sigma^2 and Gaussian in size, which sets the step.
double log_excess_quadrature(double q, double sigma, double a) {
    const double step = std::min(sigma, sigma * sigma) / 10;
    // The integrand is at most a Gaussian bump at 0 plus one at a, both of deviation sigma.
    const double first = -13 * sigma;
    const double last = a + 13 * sigma;
    const auto count = static_cast<int64_t>((last - first) / step) + 1;
    LogSum sum;
    for (int64_t i = 0; i <= count; ++i) {
        const double x = first + static_cast<double>(i) * step;
        const double z = (2 * x - 1) / (2 * sigma * sigma);
        const double l =
            z > 30 ? z + std::log(q + (1 - q) * std::exp(-z)) : std::log1p(q * std::expm1(z));
        sum.add(log_convex_gap(l, a) - x * x / (2 * sigma * sigma));
    }
    return sum.value() + std::log(step / (sigma * std::sqrt(2 * std::numbers::pi)));
}

// log of the standard normal distribution function.
double log_normal_cdf(double x) {
    if (x > -30) return std::log(std::erfc(-x / std::numbers::sqrt2) / 2);
    const double t = 1 / (x * x);  // asymptotic series, relative error below 1e-9 here
    return -x * x / 2 - std::log(-x * std::sqrt(2 * std::numbers::pi)) +
           std::log1p(-t * (1 - 3 * t * (1 - 5 * t)));
}

// log E[r^a] by the two-sided binomial series of Mironov, Talwar, Zhang, section 3.3, with the
// absolute value of every term (see RdpFormula::kAbsoluteSeries).
double log_moment_absolute_series(double q, double sigma, double a) {
    const double turn = sigma * sigma * std::log(1 / q - 1) + 0.5;
    const double log_keep = std::log1p(-q);
    const double log_take = std::log(q);
    LogSum sum;
    for (int i = 0; i < 1000; ++i) {
        const double j = a - i;
        const double low = i * log_take + j * log_keep + (1.0 * i * i - i) / (2 * sigma * sigma) +
                           log_normal_cdf((turn - i) / sigma);
        const double high = j * log_take + i * log_keep + (j * j - j) / (2 * sigma * sigma) +
                            log_normal_cdf((j - turn) / sigma);
        const double weight = log_binomial(a, i);
        sum.add(weight + low);
        sum.add(weight + high);
        if (weight + std::max(low, high) < -30) return sum.value();
    }
    return kInfinity;
}

double epsilon_at_order(double order, double rdp, double delta) {
    // Bretagnolle-Huber: total variation <= sqrt(1 - exp(-KL)), and KL <= any Renyi divergence.
    if (delta * delta + std::expm1(-rdp) >= 0) return 0;
    if (order <= 1.01) return kInfinity;  // the formula loses its meaning next to 1
    return rdp + std::log1p(-1 / order) - std::log(delta * order) / (order - 1);
}

}  // namespace

const std::vector<double>& default_rdp_orders() {
    static const std::vector<double> orders = [] {
        std::vector<double> list;
        for (int tenth = 1; tenth <= 99; ++tenth) list.push_back(1 + tenth / 10.0);
        for (int order = 11; order <= 63; ++order) list.push_back(order);
        for (int order : {128, 256, 512, 1024}) list.push_back(order);
        return list;
    }();
    return orders;
}

double rdp_of_step(double sampling_rate, double noise_multiplier, double order,
                   RdpFormula formula) {
    const SampledGaussianPhase phase{sampling_rate, noise_multiplier, 1};
    require_valid_phases({&phase, 1});
    if (!(order > 1) || !std::isfinite(order)) {
        throw Error(ErrorCode::kUsage,
                    "Renyi order must be finite and > 1, got " + std::to_string(order));
    }
    const double q = sampling_rate;
    const double sigma = noise_multiplier;
    if (q == 1) return order / (2 * sigma * sigma);
    const bool whole = order == std::floor(order) && order <= 65536;
    if (!whole && formula == RdpFormula::kAbsoluteSeries) {
        return log_moment_absolute_series(q, sigma, order) / (order - 1);
    }
    if (!whole && sigma < 0.1) {
        // The quadrature would need a very fine step. The log moment is convex in the order, so the
        // chord between whole orders bounds it from above.
        const double below = std::floor(order), above = below + 1;
        const double at_below = below > 1 ? rdp_of_step(q, sigma, below) * (below - 1) : 0;
        const double at_above = rdp_of_step(q, sigma, above) * (above - 1);
        const double chord = at_below + (order - below) * (at_above - at_below);
        return chord / (order - 1);
    }
    const double excess = whole ? log_excess_whole(q, sigma, static_cast<int>(order))
                                : log_excess_quadrature(q, sigma, order);
    const double log_moment = excess > 35 ? excess : std::log1p(std::exp(excess));
    return log_moment / (order - 1);
}

std::vector<double> rdp_curve(std::span<const SampledGaussianPhase> phases,
                              std::span<const double> orders, RdpFormula formula) {
    require_valid_phases(phases);
    std::vector<double> curve(orders.size(), 0);
    for (const SampledGaussianPhase& phase : phases) {
        if (phase.steps == 0) continue;
        for (size_t i = 0; i < orders.size(); ++i) {
            curve[i] +=
                static_cast<double>(phase.steps) *
                rdp_of_step(phase.sampling_rate, phase.noise_multiplier, orders[i], formula);
        }
    }
    return curve;
}

RdpEpsilon epsilon_from_rdp(std::span<const double> orders, std::span<const double> rdp,
                            double delta) {
    require_valid_delta(delta);
    if (orders.size() != rdp.size() || orders.empty()) {
        throw Error(ErrorCode::kUsage, "orders and rdp must have the same length > 0, got " +
                                           std::to_string(orders.size()) + " and " +
                                           std::to_string(rdp.size()));
    }
    RdpEpsilon best{kInfinity, orders[0]};
    for (size_t i = 0; i < orders.size(); ++i) {
        const double epsilon = epsilon_at_order(orders[i], rdp[i], delta);
        if (epsilon < best.epsilon) best = {epsilon, orders[i]};
    }
    if (best.epsilon <= 0) best.epsilon = 0;
    return best;
}

RdpEpsilon rdp_epsilon(std::span<const SampledGaussianPhase> phases, double delta,
                       std::span<const double> orders, RdpFormula formula) {
    return epsilon_from_rdp(orders, rdp_curve(phases, orders, formula), delta);
}

}  // namespace ward::dp
