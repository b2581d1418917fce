// HopSkipJump: walks along the decision boundary by labels alone.
//
// Chen, Jordan, Wainwright: HopSkipJumpAttack: A Query-Efficient Decision-Based Attack (IEEE S&P
// 2020), algorithms 1 (bisection) and 2: gradient direction at the boundary by a Monte Carlo
// estimate with baseline (eq. 16), geometric search of the step, projection back by bisection.
// Threat model: labels only. Budget: `steps` iterations, of 100 sqrt(t) queries for the estimate in
// iteration t (at most 10000) and some 25 for bisection and step search, per example; the queries
// of all examples go through the model together. The nearest point counts, if it lies within
// epsilon.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Default: 10 iterations. L2 and Linf.
std::unique_ptr<Attack> make_hopskipjump(const EvasionOptions& options);

}  // namespace ward::attack
