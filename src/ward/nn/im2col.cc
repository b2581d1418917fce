#include "ward/nn/internal/im2col.h"

#include <cstring>

namespace ward::nn {
namespace {

// memcpy for the short rows of patches, whose length the compiler does not know.
inline void copy_floats(const float* source, int64_t count, float* target) {
    for (; count >= 8; count -= 8, source += 8, target += 8)
        std::memcpy(target, source, 8 * sizeof(float));
    for (int64_t i = 0; i < count; ++i) target[i] = source[i];
}

}  // namespace

void im2col(const PhasedImage& image, const ConvShape& shape, int64_t first_row, int64_t last_row,
            float* columns) {
    for (int64_t c = 0; c < shape.channels; ++c) {
        for (int64_t ky = 0; ky < shape.geometry.kernel_height; ++ky) {
            for (int64_t kx = 0; kx < shape.geometry.kernel_width; ++kx) {
                const float* source = image.row(c, ky, kx, first_row);
                for (int64_t y = first_row; y < last_row;
                     ++y, source += image.row_stride(), columns += shape.out_width) {
                    copy_floats(source, shape.out_width, columns);
                }
            }
        }
    }
}

}  // namespace ward::nn
