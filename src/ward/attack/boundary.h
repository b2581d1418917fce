// The boundary attack: a random walk along the decision boundary towards the example.
//
// Brendel, Rauber, Bethge: Decision-Based Adversarial Attacks: Reliable Attacks Against Black-Box
// Machine Learning Models (ICLR 2018), section 2: a step orthogonal to the direction of the
// example, then one towards it; both sizes follow how often steps succeed. Begins at uniform noise,
// brought to the boundary by bisection. HopSkipJump needs far fewer queries; this one makes no
// assumption about the boundary. Threat model: labels. Budget: `steps`, each one query per example.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Default: 5000 queries. L2; Error kUnsupported for others.
std::unique_ptr<Attack> make_boundary(const EvasionOptions& options);

}  // namespace ward::attack
