// C&W L2: least squares distance plus a weighted margin, by Adam in a space without a box; the
// weight is found by bisection.
//
// Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks (IEEE S&P 2017), sections V
// and VI.A (objective f6, tanh change of variables, 9 search steps, first constant 1e-3, kappa 0);
// Adam with step size 0.01 as in the authors' settings. Each search step begins at the example; it
// ends early for all when the objective has not fallen by 0.01 % over a tenth of the steps.
// Threat model: white box. Cost: at most 9 x `steps` forward and backward passes per example, in
// one batch whatever the constants. Budget: the nearest point found counts, if it lies within
// epsilon.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: 1000 steps per constant; `restarts` is the number of constants tried, 9. L2 only.
std::unique_ptr<Attack> make_carlini_wagner(const EvasionOptions& options);

}  // namespace ward::attack
