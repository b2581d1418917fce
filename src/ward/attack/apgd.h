// Auto-PGD: PGD with momentum that halves its step size by itself where it stops making progress.
//
// Croce, Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse
// parameter-free attacks (ICML 2020), section 3 (algorithm 1; alpha 0.75, rho 0.75, checkpoints
// 0.22 N, then shorter by 0.03 N down to 0.06 N) with the cross-entropy or the DLR loss (section
// 4). L1: Croce, Hein: Mind the box: l1-APGD for sparse adversarial attacks (ICML 2021), section 4
// (adaptive sparsity, no momentum).
// apgd-t: the targeted DLR loss for each of the 9 classes next to the right one in turn; what it
// counts as success is any wrong class.
// In AutoAttack for L1 the steps go through balls of 3, 2 and 1 times the radius (30, 30 and 40 %
// of them), each stage from the best point of the one before (the same, section 5.1): in a larger
// ball the sparse landscape is easier to search.
// Threat model: white box. Cost: per restart (and target class) steps + 1 forward and `steps`
// backward passes per example that does not fall; examples leave when any iterate fools the model.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

enum class ApgdRadii { kOne, kShrinking };

// Defaults: 100 steps, 1 restart, start at random on the edge of the ball.
std::unique_ptr<Attack> make_apgd_ce(const EvasionOptions& options,
                                     ApgdRadii radii = ApgdRadii::kOne);
std::unique_ptr<Attack> make_apgd_dlr(const EvasionOptions& options);
std::unique_ptr<Attack> make_apgd_t(const EvasionOptions& options, int64_t target_classes = 9,
                                    ApgdRadii radii = ApgdRadii::kOne);

}  // namespace ward::attack
