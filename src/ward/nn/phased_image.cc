#include "ward/nn/internal/phased_image.h"

#include <algorithm>

namespace ward::nn {
namespace {

constexpr int64_t kLanes = 16;

// The last pixel a kernel position meets is at (out - 1) * stride + kernel - 1.
int64_t phase_length(int64_t out, int64_t stride, int64_t kernel) {
    return ((out - 1) * stride + kernel - 1) / stride + 1;
}

// The places of one phase that lie on the image.
struct Range {
    int64_t begin, end;
};
Range places_on_image(int64_t phase, int64_t stride, int64_t padding, int64_t size,
                      int64_t places) {
    const int64_t before = padding - phase;  // place i is pixel i * stride - before
    const int64_t begin = before > 0 ? (before + stride - 1) / stride : 0;
    const int64_t last = size - 1 + before;
    return {begin, std::max(begin, last < 0 ? 0 : std::min(places, last / stride + 1))};
}

}  // namespace

PhasedImage::PhasedImage(const ConvShape& shape, float padding)
    : shape_(shape),
      phase_height_(phase_length(shape.out_height, shape.geometry.stride_height,
                                 shape.geometry.kernel_height)),
      phase_width_(
          phase_length(shape.out_width, shape.geometry.stride_width, shape.geometry.kernel_width)),
      phases_(shape.channels * shape.geometry.stride_height * shape.geometry.stride_width *
                      phase_height_ * phase_width_ +
                  kLanes,
              padding) {}

void PhasedImage::load(const float* image) {
    const ConvGeometry& g = shape_.geometry;
    float* plane = phases_.data();
    for (int64_t c = 0; c < shape_.channels; ++c, image += shape_.height * shape_.width) {
        for (int64_t phase_y = 0; phase_y < g.stride_height; ++phase_y) {
            const Range rows = places_on_image(phase_y, g.stride_height, g.padding_height,
                                               shape_.height, phase_height_);
            for (int64_t phase_x = 0; phase_x < g.stride_width;
                 ++phase_x, plane += phase_height_ * phase_width_) {
                const Range columns = places_on_image(phase_x, g.stride_width, g.padding_width,
                                                      shape_.width, phase_width_);
                const int64_t first_x = columns.begin * g.stride_width + phase_x - g.padding_width;
                for (int64_t y = rows.begin; y < rows.end; ++y) {
                    const int64_t pixel_y = y * g.stride_height + phase_y - g.padding_height;
                    const float* source = image + pixel_y * shape_.width + first_x;
                    float* target = plane + y * phase_width_;
                    for (int64_t x = columns.begin; x < columns.end; ++x, source += g.stride_width)
                        target[x] = *source;
                }
            }
        }
    }
}

}  // namespace ward::nn
