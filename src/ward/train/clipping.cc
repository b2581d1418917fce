#include "ward/train/clipping.h"

#include "ward/nn/torch.h"

namespace ward::train {
namespace {

// A gradient that is not finite contributes nothing, nor does one whose factor is below the normal
// float32 numbers, where rounding could double it. Else a float32 just below the double.
at::Tensor rounded_down(const at::Tensor& factors) {
    const at::Tensor usable = at::isfinite(factors).logical_and(factors >= 0x1p-125);
    const at::Tensor finite = at::where(usable, factors, at::zeros_like(factors));
    return (finite * (1 - 0x1p-23)).to(at::kFloat);
}

at::Tensor repeated_for_layers(const at::Tensor& factors, int64_t layers) {
    return rounded_down(factors).unsqueeze(0).expand({layers, -1}).contiguous();
}

}  // namespace

at::Tensor flat_clip_factors(const at::Tensor& squared_norm_bounds, double clipping_norm) {
    const at::Tensor norms = squared_norm_bounds.sum(0).sqrt();
    return repeated_for_layers((clipping_norm / norms).clamp_max(1), squared_norm_bounds.size(0));
}

at::Tensor per_layer_clip_factors(const at::Tensor& squared_norm_bounds,
                                  const std::vector<double>& layer_norms) {
    const at::Tensor limits = torch::tensor(layer_norms, at::kDouble).unsqueeze(1);
    return rounded_down((limits / squared_norm_bounds.sqrt()).clamp_max(1)).contiguous();
}

at::Tensor automatic_clip_factors(const at::Tensor& squared_norm_bounds, double clipping_norm) {
    const at::Tensor norms = squared_norm_bounds.sum(0).sqrt();
    return repeated_for_layers(clipping_norm / (norms + 0.01), squared_norm_bounds.size(0));
}

}  // namespace ward::train
