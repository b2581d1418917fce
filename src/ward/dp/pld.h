// Privacy loss distributions: epsilon and delta of composed, Poisson-subsampled Gaussian steps with
// a certified upper AND lower bound.
//
// The upper bound composes the connect-the-dots discretisation (Doroshenko, Ghazi, Kamath, Kumar,
// Manurangsi 2022, arXiv 2207.04380); the lower bound composes a coarse-graining of the mechanism's
// output into cells whose likelihood ratio is a grid point, which by post-processing can only lose.
// Both directions of add-or-remove-one are computed (Zhu, Dong, Wang 2022, arXiv 2106.08567). The
// composition is one FFT of the exponentially tilted masses, so a delta of 1e-15 keeps its relative
// accuracy; truncation, wrap-around and the rounding of the FFT are bounded and added to the bound
// that they could break. The grid follows the loss distribution and is refined until the bounds are
// close. Argument and constants: docs/decisions/0011-privacy-accounting.md.
//
// If every phase has sampling rate 1 the closed form is used (Balle, Wang 2018, arXiv 1805.06530).
//
// Thread safety: free functions without state.
#pragma once

#include <span>

#include "ward/dp/mechanism.h"

namespace ward::dp {

// lower <= true value <= upper.
struct CertifiedValue {
    double upper = 0;
    double lower = 0;
};

struct PldOptions {
    // Grids are refined until upper - lower <= relative_gap * upper or the largest grid is reached;
    // the bounds hold in either case.
    double relative_gap = 4e-4;
    int max_log2_grid = 20;
};

// The epsilon at `delta`. An empty composition has epsilon 0. Throws Error kUsage on values outside
// their range.
CertifiedValue pld_epsilon(std::span<const SampledGaussianPhase> phases, double delta,
                           const PldOptions& options = {});

// The delta at `epsilon` >= 0.
CertifiedValue pld_delta(std::span<const SampledGaussianPhase> phases, double epsilon,
                         const PldOptions& options = {});

}  // namespace ward::dp
