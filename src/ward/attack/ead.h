// EAD: elastic net attack, sparse perturbations of least L1 norm.
//
// Chen, Sharma, Zhang, Yi, Hsieh: EAD: Elastic-Net Attacks to Deep Neural Networks via Adversarial
// Examples (AAAI 2018), algorithm 1 (FISTA: a gradient step on c f + |x - x0|_2^2, then shrinkage
// by beta, then the momentum k / (k + 3)) with the L1 decision rule: of all iterates that fool the
// one of least L1 norm. As the authors: c by bisection from 1e-3 in 9 search steps, kappa 0, the
// step size 0.01 falling with the square root of the steps left. beta is 1e-2, the largest of the
// authors' table 1, which gives the smallest L1 norms there. A search step ends early for all when
// the objective has not fallen by 0.01 % over a tenth of the steps.
// Threat model: white box. Cost: at most 9 x `steps` x (2 forward + 1 backward) passes per example,
// in one batch whatever the constants. Budget: the nearest point found counts, if it lies within
// epsilon.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: 1000 steps per constant; `restarts` is the number of constants tried, 9. Error
// kUnsupported for norms but L1.
std::unique_ptr<Attack> make_ead(const EvasionOptions& options);

}  // namespace ward::attack
