// DeepFool: steps to the nearest boundary of the linearised model until the decision changes.
//
// Moosavi-Dezfooli, Fawzi, Frossard: DeepFool: a simple and accurate method to fool deep neural
// networks (CVPR 2016), algorithm 2 (L2) and section 3.3 (Linf); steps of the field's usual
// overshoot 0.02, clipped to the box after each.
// Threat model: white box. Cost per step: 1 forward and min(classes, 10) backward passes per
// example; an example leaves when the decision changes. Budget: `steps` is the most steps; epsilon
// says which of the points found count.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Default: 50 steps. L2 and Linf; Error kUnsupported for L1.
std::unique_ptr<Attack> make_deepfool(const EvasionOptions& options);

}  // namespace ward::attack
