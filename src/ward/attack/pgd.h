// PGD: repeated steps along the gradient, each projected back into ball and box.
//
// Madry et al.: Towards Deep Learning Models Resistant to Adversarial Attacks (ICLR 2018), section
// 2.1; with step 0 from the example itself it is BIM (Kurakin et al. 2017). L1: the sparse steps of
// Tramer and Boneh (NeurIPS 2019), section 4.2. With momentum it is MI-FGSM (Dong et al., CVPR
// 2018, algorithm 1). With eot > 1 each gradient is a mean over draws of a randomised target
// (Athalye et al., ICML 2018, section 4.2).
// Threat model: white box. Cost: `steps` forward and backward passes per restart and example, and
// one forward pass; an example leaves as soon as an iterate fools the model, not only the last one.
//
// The first restart begins at the example unless random_start is set; all others begin at random.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: 40 steps; step size max(epsilon / 10, 2.5 epsilon / steps); 1 restart.
std::unique_ptr<Attack> make_pgd(const EvasionOptions& options);

// 10 steps of epsilon / steps, momentum 1.
std::unique_ptr<Attack> make_mi_fgsm(const EvasionOptions& options);

}  // namespace ward::attack
