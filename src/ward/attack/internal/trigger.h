// What a backdoor looks for in an image.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "ward/attack/poison.h"
#include "ward/data/dataset.h"

namespace ward::attack {

class Trigger {
  public:
    // Dark and bright are the least and the largest input of `data`, which may be standardised.
    Trigger(const data::Dataset& data, const PoisonOptions& options);

    void apply(data::Dataset& data, int64_t row) const;

    // wanet: the warp plus a random one of the same size; else as apply.
    void apply_distorted(data::Dataset& data, int64_t row, uint64_t seed) const;

  private:
    void stamp(at::Tensor image) const;
    at::Tensor warp_field(uint64_t seed, double strength) const;
    void warp(at::Tensor image, const at::Tensor& field) const;

    PoisonOptions options_;
    int64_t channels_, height_, width_;
    float dark_, bright_;
    at::Tensor pattern_;  // blended: {channels, height, width}
    at::Tensor field_;    // wanet: {1, height, width, 2}, normalised coordinates
};

}  // namespace ward::attack
