// The Gaussian mechanism without sampling, in closed form: Balle, Wang, "Improving the Gaussian
// Mechanism for Differential Privacy", ICML 2018 (arXiv 1805.06530), theorem 8. Composition of k
// such steps is one step with sigma / sqrt(k). Thread safety: free functions without state.
#pragma once

namespace ward::dp {

// The smallest delta for which noise of standard deviation sigma on a sum of L2 sensitivity 1 is
// (epsilon, delta)-private. Relative error below 1e-11. Throws Error kUsage unless sigma > 0 and
// epsilon >= 0.
double gaussian_delta(double sigma, double epsilon);

// The smallest epsilon at delta; 0 when epsilon 0 suffices.
double gaussian_epsilon(double sigma, double delta);

// The smallest sigma for (epsilon, delta), to a relative 1e-12.
double gaussian_sigma(double epsilon, double delta);

}  // namespace ward::dp
