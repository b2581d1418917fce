// An attack on rows of a table: numbers by steps along the gradient, categories by choice.
//
// Each step takes the gradient at a row that can be (whole numbers, one category per column). The
// numbers follow it as in PGD (Madry et al. 2018). For the categories it is the first-order
// estimate of what each other value would add to the loss, averaged over the steps (HotFlip:
// Ebrahimi et al., ACL 2018, section 3, on one-hot inputs): the columns that would add most take
// those values, up to the number allowed. What still holds is searched greedily with exact losses,
// column by column, as estimates of jumps from 0 to 1 are rough (Yang et al., JMLR 2020, "Greedy
// Attack").
//
// Threat model: white box. Cost: `steps` forward and backward passes per restart and example; the
// greedy search one forward pass for each category of each column, times `changes`.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: 40 steps of max(epsilon / 10, 2.5 epsilon / steps), 2 restarts. Throws Error kUsage
// without options.table.
std::unique_ptr<Attack> make_table_attack(const EvasionOptions& options);

}  // namespace ward::attack
