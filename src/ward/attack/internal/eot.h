// Passes through targets that may draw at random: means over `eot` draws.
#pragma once

#include <ATen/core/Tensor.h>

#include "ward/attack/internal/losses.h"
#include "ward/attack/target.h"

namespace ward::attack {

struct MeanPass {
    at::Tensor logits, value, gradient;
};

MeanPass mean_gradient(Target& target, const at::Tensor& x, Loss loss, const at::Tensor& y,
                       const at::Tensor& aim, int64_t eot);
at::Tensor mean_logits(Target& target, const at::Tensor& x, int64_t eot);

}  // namespace ward::attack
