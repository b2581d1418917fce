// C&W: a distance plus a weighted margin, by Adam in a space without a box.
//
// Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks (IEEE S&P 2017).
//
//   l2    sections V and VI.A: the objective |x - x0|^2 + c f6(x), kappa 0, the constant of each
//         example by bisection in 9 search steps. Other than in the authors' program: the box is
//         kept by clipping (section V.B, way 1), as a tanh is nearly flat at black pixels; the
//         first constant is that for which a linear model would lie at its boundary, doubled, not
//         1e-3; a search step begins at the nearest point found, at the example only while there is
//         none, and takes half the step size of the one before; and each example ends its search
//         steps by itself, when its objective has not found a value 0.01 % lower over a tenth of
//         the steps, and leaves the batch after the last. On the reference model this finds nearer
//         points with a ninth of the passes (docs/attack.md). Cost: at most 9 x (`steps` + 1)
//         forward and backward passes per example.
//   linf  section V.D: c f(x + d) + sum_i max(0, |d_i| - tau). Each time a point that fools lies
//         within tau, tau becomes 0.9 of its distance, and the search goes on from there; where
//         none is found c grows, from 1e-3 to 10 by factors of 10, and after the last one the
//         example is done. The box is kept by clipping (section V.B, way 1): a tanh is nearly flat
//         at black pixels, and on MNIST the points found are 12 % farther away. Examples, each
//         with a tau and c of its own, share one batch and leave it. Cost: descents that succeed
//         are short, each that fails has at most `steps` passes.
//
// Adam; the step size is 0.2 (L2, of the first search step) and 0.005 of the box. Threat model:
// white box. Budget: the nearest point found counts, if it lies within epsilon.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: L2 200 steps per constant, `restarts` is the number of constants tried, 9; Linf 1000.
// Error kUnsupported for L1.
std::unique_ptr<Attack> make_carlini_wagner(const EvasionOptions& options);

}  // namespace ward::attack
