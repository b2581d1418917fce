#include "ward/nn/internal/im2col.h"

#include <algorithm>
#include <cstring>

namespace ward::nn {
namespace {

// One output row: out[x] = row[x * stride + offset], zero where that is outside [0, width).
void copy_row(const float* row, int64_t width, int64_t offset, int64_t stride, int64_t out_width,
              float* out) {
    // First and one-past-last x that fall inside.
    const int64_t first = std::min(out_width, offset >= 0 ? 0 : (-offset + stride - 1) / stride);
    const int64_t last =
        std::max(first, std::min(out_width, (width - offset + stride - 1) / stride));
    std::fill(out, out + first, 0.0f);
    if (stride == 1) {
        std::memcpy(out + first, row + first + offset,
                    static_cast<size_t>(last - first) * sizeof(float));
    } else {
        for (int64_t x = first; x < last; ++x) out[x] = row[x * stride + offset];
    }
    std::fill(out + last, out + out_width, 0.0f);
}

}  // namespace

void im2col(const ConvShape& shape, const float* image, int64_t first_row, int64_t last_row,
            float* columns) {
    const ConvGeometry& g = shape.geometry;
    float* out = columns;
    for (int64_t c = 0; c < shape.channels; ++c) {
        const float* plane = image + c * shape.height * shape.width;
        for (int64_t ky = 0; ky < g.kernel_height; ++ky) {
            for (int64_t kx = 0; kx < g.kernel_width; ++kx) {
                for (int64_t y = first_row; y < last_row; ++y, out += shape.out_width) {
                    const int64_t source = y * g.stride_height + ky - g.padding_height;
                    if (source < 0 || source >= shape.height) {
                        std::fill(out, out + shape.out_width, 0.0f);
                    } else {
                        copy_row(plane + source * shape.width, shape.width, kx - g.padding_width,
                                 g.stride_width, shape.out_width, out);
                    }
                }
            }
        }
    }
}

}  // namespace ward::nn
