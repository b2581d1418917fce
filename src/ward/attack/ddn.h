// DDN: a gradient walk on a sphere whose radius shrinks where the model is fooled and grows where
// not.
//
// Rony et al.: Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial Attacks
// and Defenses (CVPR 2019), algorithm 1 (gamma 0.05, step size from 1 to 0.01 by a cosine). Threat
// model: white box. Cost: `steps` forward and backward passes per example. Budget: all steps are
// made; the nearest point counts, if it lies within epsilon.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Default: 100 steps. L2 only.
std::unique_ptr<Attack> make_ddn(const EvasionOptions& options);

}  // namespace ward::attack
