// The peers' rule of C&W L2, to count the passes it makes: all examples in one batch, in step.
//
// Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks (IEEE S&P 2017), section
// VI, as libraries document it (Foolbox: L2CarliniWagnerAttack; the authors' own program): Adam in
// tanh space, the constant of each example by bisection from 1e-3, every search step from the
// example for the whole batch, which ends early for all when at a tenth of the steps (the first
// look is at step 0) their summed objective is above 0.9999 times that of the look before. Nothing
// leaves the batch.
//
// Only passes and the points found are of interest: the arithmetic around them is plain and slow.
#pragma once

#include <cstdint>
#include <memory>

#include "ward/attack/evasion.h"

namespace ward::bench {

std::unique_ptr<attack::Attack> make_lockstep_cw(const attack::EvasionOptions& options);

}  // namespace ward::bench
