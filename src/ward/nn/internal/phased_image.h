// An image as its windows meet it: zero-padded and, for strides above 1, sorted by phase, so that
// the pixels that one kernel position meets at neighbouring outputs lie side by side.
#pragma once

#include <cstdint>
#include <vector>

#include "ward/nn/tape.h"

namespace ward::nn {

struct ConvShape {
    int64_t channels, height, width;  // of the input image (one group's channels)
    int64_t out_height, out_width;
    ConvGeometry geometry;

    int64_t patch_size() const { return channels * geometry.kernel_height * geometry.kernel_width; }
};

class PhasedImage {
  public:
    explicit PhasedImage(const ConvShape& shape, float padding = 0);

    // image {channels, height, width}
    void load(const float* image);

    // What the outputs of row `out_row` meet at one kernel position: out_width values. Rows follow
    // each other at row_stride(); 16 values may be
    // read from any of a row's.
    const float* row(int64_t channel, int64_t kernel_y, int64_t kernel_x, int64_t out_row) const {
        const ConvGeometry& g = shape_.geometry;
        const int64_t plane =
            (channel * g.stride_height + kernel_y % g.stride_height) * g.stride_width +
            kernel_x % g.stride_width;
        const int64_t row = plane * phase_height_ + out_row + kernel_y / g.stride_height;
        return phases_.data() + row * phase_width_ + kernel_x / g.stride_width;
    }
    int64_t row_stride() const { return phase_width_; }

  private:
    ConvShape shape_;
    int64_t phase_height_, phase_width_;
    std::vector<float>
        phases_;  // {channels, stride_height, stride_width, phase_height, phase_width}
};

}  // namespace ward::nn
