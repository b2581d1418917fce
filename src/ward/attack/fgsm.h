// FGSM: one step of full length along the gradient.
//
// Goodfellow, Shlens, Szegedy: Explaining and Harnessing Adversarial Examples (ICLR 2015), section
// 4; for L2 and L1 the gradient over its norm, as other toolkits do. R-FGSM (Tramer et al., ICLR
// 2018, section 4.1) goes a random half of the way first.
// Threat model: white box. Cost: one forward and one backward pass per example.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

std::unique_ptr<Attack> make_fgsm(const EvasionOptions& options);

}  // namespace ward::attack
