// Gradient attacks whose examples carry over to other models, and one perturbation for all inputs.
//
//   ni-fgsm    momentum with the gradient taken where it leads (Nesterov)
//              Lin, Song, He, Wang, Hopcroft: Nesterov Accelerated Gradient and Scale Invariance
//              for Adversarial Attacks (ICLR 2020), section 3.1
//   di-fgsm    gradients through a random resize and pad, half of the time, with momentum
//              Xie et al.: Improving Transferability of Adversarial Examples with Input Diversity
//              (CVPR 2019), section 3.3
//   ti-fgsm    gradients smoothed by a Gaussian of 7 x 7 pixels, with momentum
//              Dong, Pang, Su, Zhu: Evading Defenses to Transferable Adversarial Examples by
//              Translation-Invariant Attacks (CVPR 2019), section 3.2
//   universal  one perturbation for all examples of a batch, by the gradient of their mean loss
//              Shafahi et al.: Universal Adversarial Training (AAAI 2020), algorithm 2; the notion:
//              Moosavi-Dezfooli et al. (CVPR 2017)
//
// Threat model: gradients (of the model under attack, or of a copy of it: ward attack extraction).
// Budget: `steps`, each one forward and one backward pass per example.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Defaults: 10 steps of epsilon / steps, momentum 1; universal 100 steps of 2 epsilon / steps.
// Linf, L2, L1. di and ti want images {channels, height, width}: Error kUnsupported for others.
std::unique_ptr<Attack> make_ni_fgsm(const EvasionOptions& options);
std::unique_ptr<Attack> make_di_fgsm(const EvasionOptions& options);
std::unique_ptr<Attack> make_ti_fgsm(const EvasionOptions& options);
std::unique_ptr<Attack> make_universal(const EvasionOptions& options);

}  // namespace ward::attack
