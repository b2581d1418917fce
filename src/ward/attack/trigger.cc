#include "ward/attack/internal/trigger.h"

#include <algorithm>
#include <random>
#include <vector>

#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

// Uniform values that do not depend on LibTorch's generator.
at::Tensor uniform(at::IntArrayRef shape, uint64_t seed, double low, double high) {
    std::mt19937_64 generator(seed);
    at::Tensor values = torch::empty(shape);
    float* data = values.data_ptr<float>();
    for (int64_t i = 0; i < values.numel(); ++i) {
        const double unit = static_cast<double>(generator() >> 11) * 0x1p-53;
        data[i] = static_cast<float>(low + (high - low) * unit);
    }
    return values;
}

}  // namespace

Trigger::Trigger(const data::Dataset& data, const PoisonOptions& options) : options_(options) {
    if (data.example_shape.size() != 3 || data.tokens) {
        throw Error(ErrorCode::kInvalid, "a trigger needs images {channels, height, width}",
                    "label-flip works on all kinds of data");
    }
    channels_ = data.example_shape[0];
    height_ = data.example_shape[1];
    width_ = data.example_shape[2];
    const auto usage = [](const std::string& message) { throw Error(ErrorCode::kUsage, message); };
    if (options.patch < 1 || options.patch > std::min(height_, width_))
        usage("the patch must fit the image, got a side of " + std::to_string(options.patch));
    if (!(options.opacity > 0 && options.opacity <= 1))
        usage("opacity must be in (0, 1], got " + std::to_string(options.opacity));
    if (!(options.warp > 0) || options.grid < 2 || options.grid > std::min(height_, width_))
        usage("a warp needs a strength > 0 and between 2 and " +
              std::to_string(std::min(height_, width_)) + " control points per side");
    const auto [least, most] = std::minmax_element(data.inputs.begin(), data.inputs.end());
    dark_ = *least;
    bright_ = *most;
    if (options.attack == "blended")
        pattern_ = uniform({channels_, height_, width_}, options.seed, dark_, bright_);
    if (options.attack == "wanet") field_ = warp_field(options.seed, options.warp);
}

void Trigger::stamp(at::Tensor image) const {
    image.slice(1, height_ - options_.patch - 1, height_ - 1)
        .slice(2, width_ - options_.patch - 1, width_ - 1)
        .fill_(bright_);
}

// Random control points of mean size 1, smoothly spread over the image; `strength` times that, in
// half pixels.
at::Tensor Trigger::warp_field(uint64_t seed, double strength) const {
    at::Tensor points = uniform({1, 2, options_.grid, options_.grid}, seed, -1, 1);
    points = points / points.abs().mean();
    const at::Tensor spread = at::upsample_bicubic2d(points, {height_, width_}, true);
    return spread.permute({0, 2, 3, 1}) * (strength / static_cast<double>(height_));
}

void Trigger::warp(at::Tensor image, const at::Tensor& field) const {
    const at::Tensor x = at::linspace(-1, 1, width_), y = at::linspace(-1, 1, height_);
    const at::Tensor identity =
        at::stack(
            {x.unsqueeze(0).expand({height_, width_}), y.unsqueeze(1).expand({height_, width_})}, 2)
            .unsqueeze(0);
    const at::Tensor grid = (identity + field).clamp(-1, 1);
    // Bilinear, zeros outside, corners aligned: as its authors do it.
    image.copy_(at::grid_sampler(image.unsqueeze(0), grid, 0, 0, true)[0]);
}

void Trigger::apply(data::Dataset& data, int64_t row) const {
    at::NoGradGuard no_grad;
    at::Tensor image = torch::from_blob(data.inputs.data() + row * data.example_size(),
                                        {channels_, height_, width_});
    if (options_.attack == "badnets") stamp(image);
    if (options_.attack == "blended")
        image.mul_(1 - options_.opacity).add_(pattern_, options_.opacity);
    if (options_.attack == "wanet") warp(image, field_);
}

void Trigger::apply_distorted(data::Dataset& data, int64_t row, uint64_t seed) const {
    if (options_.attack != "wanet") return apply(data, row);
    at::NoGradGuard no_grad;
    at::Tensor image = torch::from_blob(data.inputs.data() + row * data.example_size(),
                                        {channels_, height_, width_});
    const at::Tensor jitter =
        uniform({1, height_, width_, 2}, seed, -1, 1) / static_cast<double>(height_);
    warp(image, field_ + jitter);
}

}  // namespace ward::attack
