// Patches of an image as the columns of a matrix.
#pragma once

#include "ward/nn/internal/phased_image.h"

namespace ward::nn {

// columns {patch_size, (last_row - first_row) * out_width} of the output rows [first_row,
// last_row).
void im2col(const PhasedImage& image, const ConvShape& shape, int64_t first_row, int64_t last_row,
            float* columns);

}  // namespace ward::nn
