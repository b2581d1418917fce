// Renyi differential privacy of the Poisson-subsampled Gaussian.
//
// The curve is Mironov, Talwar, Zhang, "Renyi Differential Privacy of the Sampled Gaussian
// Mechanism", 2019 (arXiv 1908.10530), section 3.3: the sum over binomial terms for whole orders;
// for other orders the same expectation by the trapezoidal rule, which converges geometrically for
// this integrand. Both work on "moment minus one" in log space, so tiny sampling rates and large
// orders keep their relative accuracy. Conversion to (epsilon, delta): Canonne, Kamath, Steinke
// 2020 (arXiv 2004.00010), proposition 12.
//
// RDP is an upper bound, looser than the privacy loss distribution of dp/pld.h by 10 % in the
// median. Thread safety: free functions without state.
#pragma once

#include <span>
#include <vector>

#include "ward/dp/mechanism.h"

namespace ward::dp {

// 1.1, 1.2, ..., 10.9, 11, 12, ..., 63, 128, 256, 512, 1024.
const std::vector<double>& default_rdp_orders();

enum class RdpFormula {
    kExact,  // below a noise multiplier of 0.1: an upper bound at orders that are not whole
    // For comparison with dp_accounting 0.6 (and figures published with it): at orders that are not
    // whole it sums the binomial series with absolute values, an upper bound that exceeds the exact
    // value by up to 46 % next to order 1; infinite where that series does not settle.
    kAbsoluteSeries,
};

// Renyi divergence of one step at `order` > 1. Throws Error kUsage for q outside (0, 1], sigma <= 0
// or an order <= 1.
double rdp_of_step(double sampling_rate, double noise_multiplier, double order,
                   RdpFormula formula = RdpFormula::kExact);

// Sum over the phases at each order.
std::vector<double> rdp_curve(std::span<const SampledGaussianPhase> phases,
                              std::span<const double> orders,
                              RdpFormula formula = RdpFormula::kExact);

struct RdpEpsilon {
    double epsilon = 0;
    double order = 0;  // the order that gives it; 0 when no order is needed (epsilon is 0)
};

// The smallest epsilon over the orders for a curve as from rdp_curve.
RdpEpsilon epsilon_from_rdp(std::span<const double> orders, std::span<const double> rdp,
                            double delta);

RdpEpsilon rdp_epsilon(std::span<const SampledGaussianPhase> phases, double delta,
                       std::span<const double> orders = default_rdp_orders(),
                       RdpFormula formula = RdpFormula::kExact);

}  // namespace ward::dp
