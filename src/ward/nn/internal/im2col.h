// Patches of an image as the columns of a matrix.
#pragma once

#include <cstdint>

#include "ward/nn/tape.h"

namespace ward::nn {

struct ConvShape {
    int64_t channels, height, width;  // of the input image (one group's channels)
    int64_t out_height, out_width;
    ConvGeometry geometry;

    int64_t patch_size() const { return channels * geometry.kernel_height * geometry.kernel_width; }
};

// image {channels, height, width} -> columns {patch_size, (last_row - first_row) * out_width} of
// the output rows [first_row, last_row); zeros outside the image.
void im2col(const ConvShape& shape, const float* image, int64_t first_row, int64_t last_row,
            float* columns);

}  // namespace ward::nn
