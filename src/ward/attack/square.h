// Square: random search with square patches of colour that shrink over time.
//
// Andriushchenko, Croce, Flammarion, Hein: Square Attack: a query-efficient black-box adversarial
// attack via random search (ECCV 2020), algorithms 1 (search), 2 (Linf), 3 (L2); p = 0.8 with the
// schedule of section 5, rescaled to the budget. L1: Croce, Hein: Mind the box: l1-APGD for sparse
// adversarial attacks (ICML 2021), section 4.3: as L2 with amounts in place of squares, projected
// on ball and box.
// Threat model: scores (logits or anything with the same order and differences). Budget: `steps`
// queries per example and restart, one forward pass each and no gradient; an example leaves when it
// is fooled.
//
// Inputs {channels, height, width}; others count as one channel of width 1.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: 5000 queries, 1 restart. All norms.
std::unique_ptr<Attack> make_square(const EvasionOptions& options);

}  // namespace ward::attack
