// From per-example norms to clip factors.
//
// Each function returns factors {layers, examples} in float32, such that the contribution of an
// example, factor times gradient, has an L2 norm of at most C over all layers together. Norms come
// in as certified upper bounds (see nn/private_gradients.h); factors are rounded towards zero.
//
// Thread safety: pure functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace ward::train {

// min(1, C / norm). Abadi et al., "Deep Learning with Differential Privacy", CCS 2016, algorithm 1.
at::Tensor flat_clip_factors(const at::Tensor& squared_norm_bounds, double clipping_norm);

// min(1, C_l / norm_l) for each layer l; C is the root sum of squares of the C_l.
at::Tensor per_layer_clip_factors(const at::Tensor& squared_norm_bounds,
                                  const std::vector<double>& layer_norms);

// C / (norm + 0.01): every example counts alike. Bu, Wang, Zha, Karypis, "Automatic Clipping",
// NeurIPS 2023, AUTO-S.
at::Tensor automatic_clip_factors(const at::Tensor& squared_norm_bounds, double clipping_norm);

}  // namespace ward::train
