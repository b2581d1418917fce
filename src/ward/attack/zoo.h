// ZOO: C&W L2 without gradients, coordinate by coordinate.
//
// Chen, Zhang, Sharma, Yi, Hsieh: ZOO: Zeroth Order Optimization Based Black-box Attacks to Deep
// Neural Networks without Training Substitute Models (AISec 2017), section 3 and algorithm 2
// (ZOO-ADAM): 128 random coordinates per step, their slopes by symmetric differences, Adam with a
// step count for each coordinate. The objective is |x - x0|_2^2 - c min(0, margin); a margin of
// log-probabilities, which the authors take, is one of logits. Here the box is kept by clipping,
// the differences are of 0.002 of the box (the authors' 2e-4 drown in the rounding of float32
// scores), and slopes are only asked for while the model is not fooled: of the distance they are
// known.
// Threat model: scores. Cost: each step 1 query per example, and 256 more while it is not fooled;
// those of all examples go through the model together. Budget: the nearest point found counts, if
// it lies within epsilon.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: 1000 steps per constant; `restarts` is the number of constants tried, 1 as queries are
// dear, the first of them 10. L2 only, else Error kUnsupported.
std::unique_ptr<Attack> make_zoo(const EvasionOptions& options);

}  // namespace ward::attack
