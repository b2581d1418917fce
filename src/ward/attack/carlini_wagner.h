// C&W: a distance plus a weighted margin, by Adam in a space without a box.
//
// Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks (IEEE S&P 2017).
//
//   l2    sections V and VI.A: objective f6, the tanh change of variables, kappa 0, the constant by
//         bisection from 1e-3 in 9 search steps, each beginning at the example; a search step ends
//         early for all when the objective has not fallen by 0.01 % over a tenth of the steps.
//         Cost: at most 9 x `steps` forward and backward passes per example, in one batch whatever
//         the constants.
//   linf  section V.D: c f(x + d) + sum_i max(0, |d_i| - tau). Each time a point that fools lies
//         within tau, tau becomes 0.9 of its distance, and the search goes on from there; where
//         none is found c grows, from 1e-3 to 10 by factors of 10, and after the last one the
//         example is done. The box is kept by clipping (section V.B, way 1): a tanh is nearly flat
//         at black pixels, and on MNIST the points found are 12 % farther away. Examples, each
//         with a tau and c of its own, share one batch and leave it. Cost: descents that succeed
//         are short, each that fails has at most `steps` passes.
//
// Adam with the authors' step sizes, 0.01 and 0.005. Threat model: white box. Budget: the nearest
// point found counts, if it lies within epsilon.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: 1000 steps per constant; L2: `restarts` is the number of constants tried, 9. Error
// kUnsupported for L1.
std::unique_ptr<Attack> make_carlini_wagner(const EvasionOptions& options);

}  // namespace ward::attack
