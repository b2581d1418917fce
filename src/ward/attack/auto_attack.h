// AutoAttack: the ensemble whose figure is comparable between papers, as its authors define it.
//
// Croce, Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse
// parameter-free attacks (ICML 2020), section 5; versions as published with RobustBench:
//   standard  apgd-ce (100 steps), apgd-t (9 classes x 100), fab-t (9 x 100), square (5000 queries)
//   plus      apgd-ce (5 restarts), apgd-dlr (5), fab (5), square, apgd-t (9), fab-t (9)
//   rand      apgd-ce and apgd-dlr, each gradient a mean over 20 draws; for randomised defences
//   standard, L1: apgd-ce (5 restarts x 100 steps) and apgd-t (5 classes x 100), both through
//             shrinking balls, fab-t (9 x 100), square (5000)
//             Croce, Hein: Mind the box: l1-APGD for sparse adversarial attacks (ICML 2021),
//             section 5 and appendix
// Each attack sees only what all before it left robust. `plus` is not defined for L1 and refused.
// Threat model: white box. Budget: fixed by the definition; steps and restarts must not be given.
//
// Flags, after the authors' own list (what makes the figure doubtful): outputs that change from
// pass to pass, outputs that are probabilities, gradients that are zero, Square better than the
// white-box attacks. An optimisation inside the forward pass cannot be seen from outside a
// TorchScript file and is not looked for.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

enum class AutoAttackVersion { kStandard, kPlus, kRand };

std::unique_ptr<Attack> make_auto_attack(AutoAttackVersion version, const EvasionOptions& options);

}  // namespace ward::attack
