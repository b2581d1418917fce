#include "ward/attack/interval.h"

#include <cmath>
#include <limits>
#include <string>

#include "ward/core/error.h"

namespace ward::attack {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kBisections = 200;  // ends when no double lies between the limits

void check(int64_t successes, int64_t trials, double confidence) {
    if (successes < 0 || trials < 0 || successes > trials) {
        throw Error(ErrorCode::kInvalid, "successes must be between 0 and the trials, got " +
                                             std::to_string(successes) + " of " +
                                             std::to_string(trials));
    }
    if (!(confidence > 0 && confidence < 1)) {
        throw Error(ErrorCode::kUsage,
                    "confidence must be in (0, 1), got " + std::to_string(confidence));
    }
}

// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), evaluated
// from the front (modified Lentz). Converges in about sqrt(max(a, b)) terms for x below the mean.
double beta_fraction(double a, double b, double x) {
    constexpr double kTiny = 1e-300;
    const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
    double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
    double value = d;
    for (double m = 1; m < 1e6; ++m) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 / away_from_zero(1 + even * d);
        c = away_from_zero(1 + even / c);
        value *= d * c;
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / away_from_zero(1 + odd * d);
        c = away_from_zero(1 + odd / c);
        value *= d * c;
        if (std::abs(d * c - 1) < 1e-15) break;
    }
    return value;
}

// I_x(a, b) for a, b > 0.
double regularised_beta(double a, double b, double x) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                  a * std::log(x) + b * std::log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

// The p in [0, 1] at which a decreasing `too_low` turns false.
template <typename Predicate>
double bisect(const Predicate& too_low) {
    double low = 0, high = 1;
    for (int i = 0; i < kBisections; ++i) {
        const double middle = 0.5 * (low + high);
        if (middle == low || middle == high) break;
        (too_low(middle) ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

}  // namespace

double binomial_tail(int64_t trials, int64_t at_least, double p) {
    if (at_least <= 0) return 1;
    if (at_least > trials) return 0;
    return regularised_beta(static_cast<double>(at_least),
                            static_cast<double>(trials - at_least + 1), p);
}

double log_binomial_mass(int64_t trials, int64_t successes, double p) {
    if (successes < 0 || successes > trials) return -kInfinity;
    const auto n = static_cast<double>(trials), k = static_cast<double>(successes);
    const double hits = successes == 0 ? 0 : k * std::log(p);
    const double misses = successes == trials ? 0 : (n - k) * std::log1p(-p);
    return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + hits + misses;
}

double clopper_pearson_lower(int64_t successes, int64_t trials, double confidence) {
    check(successes, trials, confidence);
    if (successes == 0) return 0;
    return bisect([&](double p) { return binomial_tail(trials, successes, p) < 1 - confidence; });
}

double clopper_pearson_upper(int64_t successes, int64_t trials, double confidence) {
    check(successes, trials, confidence);
    if (successes == trials) return 1;
    return bisect(
        [&](double p) { return 1 - binomial_tail(trials, successes + 1, p) > 1 - confidence; });
}

Interval clopper_pearson(int64_t successes, int64_t trials, double confidence) {
    check(successes, trials, confidence);
    const double one_sided = 0.5 * (1 + confidence);
    return {clopper_pearson_lower(successes, trials, one_sided),
            clopper_pearson_upper(successes, trials, one_sided)};
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z * M_SQRT1_2); }

// A bracket that halves is slow, but exact, and nobody asks for many.
double normal_quantile(double p) {
    if (p <= 0) return -kInfinity;
    if (p >= 1) return kInfinity;
    if (p > 0.5) return -normal_quantile(1 - p);
    double low = -40, high = 0;
    for (int i = 0; i < kBisections; ++i) {
        const double middle = 0.5 * (low + high);
        if (middle == low || middle == high) break;
        (normal_cdf(middle) < p ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

}  // namespace ward::attack
