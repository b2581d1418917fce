// FAB: looks for the nearest point beyond the decision boundary by projecting again and again on
// its linearisation, drawn back towards the example.
//
// Croce, Hein: Minimally distorted Adversarial Examples with a Fast Adaptive Boundary Attack (ICML
// 2020), section 3 (alpha_max 0.1, eta 1.05, beta 0.9); the targeted form FAB-T is that of Croce
// and Hein, ICML 2020 (AutoAttack), section 5: one boundary at a time, towards the 9 likeliest
// other classes.
// Threat model: white box. Cost per step: 2 forward and 1 backward passes (fab: `classes` backward
// passes) per example and target class. Budget: with a finite epsilon an example leaves when a
// point inside that radius is found; with an infinite one all steps are made and the nearest point
// counts.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: 100 steps, 1 restart.
std::unique_ptr<Attack> make_fab(const EvasionOptions& options);
std::unique_ptr<Attack> make_fab_t(const EvasionOptions& options, int64_t target_classes = 9);

}  // namespace ward::attack
