#include "ward/nn/internal/im2col.h"

#include <cstring>

namespace ward::nn {
namespace {

// The last pixel a kernel position meets is at (out - 1) * stride + kernel - 1.
int64_t phase_length(int64_t out, int64_t stride, int64_t kernel) {
    return ((out - 1) * stride + kernel - 1) / stride + 1;
}

// memcpy for the short rows of patches, whose length the compiler does not know.
inline void copy_floats(const float* source, int64_t count, float* target) {
    for (; count >= 8; count -= 8, source += 8, target += 8)
        std::memcpy(target, source, 8 * sizeof(float));
    for (int64_t i = 0; i < count; ++i) target[i] = source[i];
}

}  // namespace

PatchSource::PatchSource(const ConvShape& shape)
    : shape_(shape),
      phase_height_(phase_length(shape.out_height, shape.geometry.stride_height,
                                 shape.geometry.kernel_height)),
      phase_width_(
          phase_length(shape.out_width, shape.geometry.stride_width, shape.geometry.kernel_width)),
      phases_(shape.channels * shape.geometry.stride_height * shape.geometry.stride_width *
              phase_height_ * phase_width_) {}

void PatchSource::load(const float* image) {
    const ConvGeometry& g = shape_.geometry;
    float* out = phases_.data();
    for (int64_t c = 0; c < shape_.channels; ++c, image += shape_.height * shape_.width) {
        for (int64_t phase_y = 0; phase_y < g.stride_height; ++phase_y) {
            for (int64_t phase_x = 0; phase_x < g.stride_width; ++phase_x) {
                for (int64_t y = 0; y < phase_height_; ++y) {
                    const int64_t source_y = y * g.stride_height + phase_y - g.padding_height;
                    const bool row_inside = source_y >= 0 && source_y < shape_.height;
                    for (int64_t x = 0; x < phase_width_; ++x) {
                        const int64_t source_x = x * g.stride_width + phase_x - g.padding_width;
                        const bool inside = row_inside && source_x >= 0 && source_x < shape_.width;
                        *out++ = inside ? image[source_y * shape_.width + source_x] : 0.0f;
                    }
                }
            }
        }
    }
}

const float* PatchSource::row_of(int64_t channel, int64_t kernel_y, int64_t kernel_x,
                                 int64_t out_row) const {
    const ConvGeometry& g = shape_.geometry;
    const int64_t plane =
        (channel * g.stride_height + kernel_y % g.stride_height) * g.stride_width +
        kernel_x % g.stride_width;
    const int64_t row = plane * phase_height_ + out_row + kernel_y / g.stride_height;
    return phases_.data() + row * phase_width_ + kernel_x / g.stride_width;
}

void PatchSource::im2col(int64_t first_row, int64_t last_row, float* columns) const {
    const ConvGeometry& g = shape_.geometry;
    for (int64_t c = 0; c < shape_.channels; ++c) {
        for (int64_t ky = 0; ky < g.kernel_height; ++ky) {
            for (int64_t kx = 0; kx < g.kernel_width; ++kx) {
                const float* source = row_of(c, ky, kx, first_row);
                for (int64_t y = first_row; y < last_row;
                     ++y, source += phase_width_, columns += shape_.out_width) {
                    copy_floats(source, shape_.out_width, columns);
                }
            }
        }
    }
}

}  // namespace ward::nn
