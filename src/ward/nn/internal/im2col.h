// Patches of an image as the columns of a matrix.
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

// Zero-padded and, for strides above 1, sorted by phase: the pixels that one kernel position meets
// at neighbouring outputs lie side by side, so that rows of patches are plain copies.
class PatchSource {
  public:
    explicit PatchSource(const ConvShape& shape);

    // image {channels, height, width}
    void load(const float* image);

    // columns {patch_size, (last_row - first_row) * out_width} of the output rows [first_row,
    // last_row).
    void im2col(int64_t first_row, int64_t last_row, float* columns) const;

  private:
    const float* row_of(int64_t channel, int64_t kernel_y, int64_t kernel_x, int64_t out_row) const;

    ConvShape shape_;
    int64_t phase_height_, phase_width_;
    std::vector<float>
        phases_;  // {channels, stride_height, stride_width, phase_height, phase_width}
};

}  // namespace ward::nn
