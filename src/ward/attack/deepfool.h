// DeepFool: steps to the nearest boundary of the linearised model until the decision changes.
//
// Moosavi-Dezfooli, Fawzi, Frossard: DeepFool: a simple and accurate method to fool deep neural
// networks (CVPR 2016), algorithm 2 (L2) and section 3.3 (Linf), with the field's usual overshoot
// 0.02, clipped to the box. Where ten steps were not enough the walk has mostly stalled at the
// edges of the box; from then on each step is the least one inside the box. Threat model: white
// box. Cost per step: 1 forward and min(classes, 10) backward passes per example; an example leaves
// when the decision changes. Budget: `steps` is the most steps; epsilon says which of the points
// found count.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Default: 50 steps. L2 and Linf; Error kUnsupported for L1.
std::unique_ptr<Attack> make_deepfool(const EvasionOptions& options);

}  // namespace ward::attack
