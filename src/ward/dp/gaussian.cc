#include "ward/dp/gaussian.h"

#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/dp/internal/normal.h"
#include "ward/dp/mechanism.h"

namespace ward::dp {
namespace {

void require_sigma(double sigma) {
    const SampledGaussianPhase phase{1, sigma, 1};
    require_valid_phases({&phase, 1});
}

// exp(z^2 / 2) P(Z > z) for z >= 0: the tail without its exponential, so that it cannot underflow.
double scaled_tail(double z) {
    if (z < 25) return std::exp(z * z / 2) * internal::normal_tail(z);
    const double t = 1 / (z * z);
    return (1 - t * (1 - 3 * t * (1 - 5 * t * (1 - 7 * t)))) / (z * 2.5066282746310002);
}

}  // namespace

// delta = P(Z > z) - e^epsilon P(Z > z + mu), z = epsilon / mu - mu / 2, mu = 1 / sigma. With
// e^epsilon = exp(((z + mu)^2 - z^2) / 2) both terms share the factor exp(-z^2 / 2).
double gaussian_delta(double sigma, double epsilon) {
    require_sigma(sigma);
    if (!(epsilon >= 0)) {
        throw Error(ErrorCode::kUsage, "epsilon must be >= 0, got " + std::to_string(epsilon));
    }
    const double mu = 1 / sigma;
    const double z = epsilon / mu - mu / 2;
    if (z >= 0) return std::exp(-z * z / 2) * (scaled_tail(z) - scaled_tail(z + mu));
    // P(Z > z + mu) e^epsilon, the second factor folded in where both are moderate or both extreme.
    const double second = z + mu > 0 ? std::exp(-z * z / 2) * scaled_tail(z + mu)
                                     : std::exp(epsilon) * internal::normal_tail(z + mu);
    if (epsilon == 0) return std::erf(mu / (2 * std::sqrt(2.0)));
    return internal::normal_tail(z) - second;
}

double gaussian_epsilon(double sigma, double delta) {
    require_sigma(sigma);
    require_valid_delta(delta);
    if (gaussian_delta(sigma, 0) <= delta) return 0;
    double low = 0, high = 1;
    while (gaussian_delta(sigma, high) > delta) high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; ++i) {
        const double middle = (low + high) / 2;
        (gaussian_delta(sigma, middle) > delta ? low : high) = middle;
    }
    return high;
}

double gaussian_sigma(double epsilon, double delta) {
    require_valid_epsilon(epsilon);
    require_valid_delta(delta);
    double low = 0.01, high = 1e9;
    if (gaussian_delta(low, epsilon) <= delta) return low;
    for (int i = 0; i < 200 && high - low > 1e-13 * high; ++i) {
        const double middle = std::sqrt(low * high);
        (gaussian_delta(middle, epsilon) > delta ? low : high) = middle;
    }
    return high;
}

}  // namespace ward::dp
