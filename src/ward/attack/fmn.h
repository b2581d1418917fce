// FMN: the nearest adversarial point in any norm, by steps whose ball shrinks and grows.
//
// Pintor, Roli, Brendel, Biggio: Fast Minimum-norm Adversarial Attacks through Adaptive Norm
// Constraints (NeurIPS 2021), algorithm 1: while nothing is found the radius is the distance to the
// boundary of the linearised margin; then it shrinks below the best norm where the point fools and
// grows where it does not. Step and change of the radius fall along a cosine.
// Threat model: gradients. Budget: `steps`, each one forward and one backward pass per example.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Default: 100 steps. Linf, L2, L1.
std::unique_ptr<Attack> make_fmn(const EvasionOptions& options);

}  // namespace ward::attack
