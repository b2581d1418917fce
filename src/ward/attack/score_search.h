// Score-based searches beside Square.
//
//   spsa   gradients estimated by random signs, then Adam inside the ball
//          Uesato, O'Donoghue, Kohli, van den Oord: Adversarial Risk and the Dangers of Evaluating
//          Against Weak Attacks (ICML 2018), section 4.2
//   simba  one random coordinate at a time, up or down, kept where it lowers the margin
//          Guo, Gardner, You, Wilson, Weinberger: Simple Black-box Adversarial Attacks (ICML 2019),
//          algorithm 1, in the basis of the inputs
//
// Threat model: scores. Budget of spsa: `steps`, each 2 x 32 queries per example; of simba: `steps`
// queries per example. An example leaves when it is fooled; the queries of all examples go through
// the model together.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: spsa 100 steps, Linf and L2; simba 5000 queries, Linf and L2. Error kUnsupported for
// L1.
std::unique_ptr<Attack> make_spsa(const EvasionOptions& options);
std::unique_ptr<Attack> make_simba(const EvasionOptions& options);

}  // namespace ward::attack
