#include "ward/nn/internal/max_pool.h"

#include <immintrin.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "ward/nn/internal/phased_image.h"
#include "ward/nn/runtime.h"
#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr int64_t kLanes = 16;
constexpr int64_t kGrainElements = 16384;
constexpr int64_t kMostPlaces = 256;  // places in a window are bytes

#ifdef __AVX512BW__
#define WARD_AVX512
#else
#define WARD_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))
#endif

// Where each place of the windows of the first row of outputs begins.
std::vector<const float*> places_of(const PhasedImage& image, const ConvGeometry& g) {
    std::vector<const float*> places;
    for (int64_t ky = 0; ky < g.kernel_height; ++ky) {
        for (int64_t kx = 0; kx < g.kernel_width; ++kx) places.push_back(image.row(0, ky, kx, 0));
    }
    return places;
}

WARD_AVX512 __mmask16 lanes_left(int64_t count) {
    return static_cast<__mmask16>(count >= kLanes ? 0xffff : (1 << count) - 1);
}

// One row of outputs: the largest pixel of each window and its place in the window.
WARD_AVX512 void pool_row(const std::vector<const float*>& pixels, int64_t offset, int64_t width,
                          float* out, uint8_t* chosen) {
    for (int64_t x = 0; x < width; x += kLanes) {
        __m512 best = _mm512_loadu_ps(pixels[0] + offset + x);
        __m512i place = _mm512_setzero_si512();
        for (size_t i = 1; i < pixels.size(); ++i) {
            const __m512 v = _mm512_loadu_ps(pixels[i] + offset + x);
            const __mmask16 take = static_cast<__mmask16>(_mm512_cmp_ps_mask(v, best, _CMP_GT_OQ) |
                                                          _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q));
            best = _mm512_mask_mov_ps(best, take, v);
            place = _mm512_mask_mov_epi32(place, take, _mm512_set1_epi32(static_cast<int>(i)));
        }
        const __mmask16 lanes = lanes_left(width - x);
        _mm512_mask_storeu_ps(out + x, lanes, best);
        _mm512_mask_cvtepi32_storeu_epi8(chosen + x, lanes, place);
    }
}

// Adds each window's gradient to the pixel chosen from it.
void spread_plane(const float* gradients, const uint8_t* chosen, const ConvShape& shape,
                  const std::vector<int64_t>& offsets, float* pixels) {
    const ConvGeometry& g = shape.geometry;
    const auto size = static_cast<uint64_t>(shape.height * shape.width);
    for (int64_t y = 0; y < shape.out_height; ++y) {
        for (int64_t x = 0; x < shape.out_width; ++x) {
            const int64_t first = y * g.stride_height * shape.width + x * g.stride_width;
            const auto pixel = static_cast<uint64_t>(first + offsets[*chosen++]);
            if (pixel < size) pixels[pixel] += *gradients;
            ++gradients;
        }
    }
}

// From the pixel that a window without padding begins with to each place of the window.
std::vector<int64_t> offsets_of(const ConvShape& shape) {
    const ConvGeometry& g = shape.geometry;
    std::vector<int64_t> offsets;
    for (int64_t ky = 0; ky < g.kernel_height; ++ky) {
        for (int64_t kx = 0; kx < g.kernel_width; ++kx)
            offsets.push_back((ky - g.padding_height) * shape.width + kx - g.padding_width);
    }
    return offsets;
}

int64_t pooled_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
    return (size + 2 * padding - kernel) / stride + 1;
}

ConvShape plane_of(const at::Tensor& x, int64_t kernel, int64_t stride, int64_t padding) {
    return {1,
            x.size(2),
            x.size(3),
            pooled_size(x.size(2), kernel, stride, padding),
            pooled_size(x.size(3), kernel, stride, padding),
            {kernel, kernel, stride, stride, padding, padding, 1}};
}

struct MaxPool : torch::autograd::Function<MaxPool> {
    static Variable forward(AutogradContext* context, const Variable& x, int64_t kernel,
                            int64_t stride, int64_t padding) {
        const at::Tensor images = x.contiguous();
        const ConvShape shape = plane_of(images, kernel, stride, padding);
        const int64_t planes = images.size(0) * images.size(1),
                      in_size = shape.height * shape.width,
                      out_size = shape.out_height * shape.out_width;
        at::Tensor out = torch::empty(
            {images.size(0), images.size(1), shape.out_height, shape.out_width}, images.options());
        at::Tensor places = torch::empty(out.sizes(), images.options().dtype(at::kByte));
        const float* in_data = images.data_ptr<float>();
        float* out_data = out.data_ptr<float>();
        uint8_t* place_data = places.data_ptr<uint8_t>();
        for_each_plane(planes, shape, [&](int64_t first, int64_t last) {
            PhasedImage image(shape, -std::numeric_limits<float>::infinity());
            const std::vector<const float*> pixels = places_of(image, shape.geometry);
            for (int64_t i = first; i < last; ++i) {
                image.load(in_data + i * in_size);
                for (int64_t y = 0; y < shape.out_height; ++y) {
                    const int64_t row = i * out_size + y * shape.out_width;
                    pool_row(pixels, y * image.row_stride(), shape.out_width, out_data + row,
                             place_data + row);
                }
            }
        });
        context->save_for_backward({x, places});
        context->saved_data["kernel"] = kernel;
        context->saved_data["stride"] = stride;
        context->saved_data["padding"] = padding;
        return out;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const at::Tensor& x = saved[0];
        const ConvShape shape =
            plane_of(x, context->saved_data["kernel"].toInt(),
                     context->saved_data["stride"].toInt(), context->saved_data["padding"].toInt());
        if (at::GradMode::is_enabled()) return {again(x, shape.geometry, gradients[0]), {}, {}, {}};
        const at::Tensor g = gradients[0].contiguous();
        const int64_t planes = x.size(0) * x.size(1), in_size = shape.height * shape.width,
                      out_size = shape.out_height * shape.out_width;
        at::Tensor result = torch::zeros(x.sizes(), g.options());
        const float* g_data = g.data_ptr<float>();
        const uint8_t* place_data = saved[1].data_ptr<uint8_t>();
        float* result_data = result.data_ptr<float>();
        const std::vector<int64_t> offsets = offsets_of(shape);
        for_each_plane(planes, shape, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                spread_plane(g_data + i * out_size, place_data + i * out_size, shape, offsets,
                             result_data + i * in_size);
            }
        });
        return {result, {}, {}, {}};
    }

    template <typename Work>
    static void for_each_plane(int64_t planes, const ConvShape& shape, const Work& work) {
        const int64_t size = shape.height * shape.width;
        at::parallel_for(0, planes, std::max<int64_t>(1, kGrainElements / size), work);
    }

    // By functions of ATen, which have gradients of their own.
    static at::Tensor again(const at::Tensor& x, const ConvGeometry& g,
                            const at::Tensor& gradient) {
        at::Tensor indices;
        {
            const at::NoGradGuard no_grad;
            indices = std::get<1>(
                at::max_pool2d_with_indices(x, g.kernel_height, g.stride_height, g.padding_height));
        }
        return at::max_pool2d_with_indices_backward(
            gradient, x, {g.kernel_height, g.kernel_width}, {g.stride_height, g.stride_width},
            {g.padding_height, g.padding_width}, {1, 1}, false, indices);
    }
};

}  // namespace

at::Tensor max_pool2d(const at::Tensor& x, int64_t kernel, int64_t stride, int64_t padding) {
    const bool ours = x.device().is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 4 &&
                      x.numel() > 0 && uses_own_kernels() && kernel * kernel <= kMostPlaces &&
                      2 * padding <= kernel && x.size(2) + 2 * padding >= kernel &&
                      x.size(3) + 2 * padding >= kernel;
    if (!ours) return at::max_pool2d(x, kernel, stride, padding);
    return MaxPool::apply(x, kernel, stride, padding);
}

}  // namespace ward::nn
