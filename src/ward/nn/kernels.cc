#include "ward/nn/kernels.h"

#include <algorithm>
#include <vector>

#include "ward/core/simd.h"
#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

// Work below this many elements is not worth a second thread.
constexpr int64_t kGrainElements = 32768;

int64_t row_grain(int64_t row_length) {
    return std::max<int64_t>(1, kGrainElements / std::max<int64_t>(row_length, 1));
}

bool plain_cpu(const at::Tensor& x) { return x.device().is_cpu() && x.scalar_type() == at::kFloat; }

WARD_SIMD_CLONES double block_squares(const float* x, int64_t n) {
    double total = 0;
    int64_t i = 0;
    while (i + 16 <= n) {
        const int64_t end = std::min(n, i + 256);
        Float16 sum = {};
        for (; i + 16 <= end; i += 16) {
            const Float16 v = load16(x + i);
            sum += v * v;
        }
        total += add_lanes(sum);
    }
    for (; i < n; ++i) total += static_cast<double>(x[i]) * x[i];
    // Each square may have lost 2^-150 to underflow in float32; where that matters, again in
    // double.
    if (!(total < static_cast<double>(n) * 0x1p-125)) return total;
    total = 0;
    for (i = 0; i < n; ++i) total += static_cast<double>(x[i]) * x[i];
    return total;
}

WARD_SIMD_CLONES void dot_and_sum(const float* g, const float* x, int64_t n, float* dot,
                                  float* sum) {
    Float16 dots = {}, sums = {};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const Float16 v = load16(g + i);
        dots += v * load16(x + i);
        sums += v;
    }
    double dot_total = add_lanes(dots), sum_total = add_lanes(sums);
    for (; i < n; ++i) {
        dot_total += static_cast<double>(g[i]) * x[i];
        sum_total += g[i];
    }
    *dot = static_cast<float>(dot_total);
    *sum = static_cast<float>(sum_total);
}

// scale[f] += g[f] * (x[f] - mean) * rstd, shift[f] += g[f].
WARD_SIMD_CLONES void add_norm_gradients(const float* g, const float* x, float mean, float rstd,
                                         int64_t n, float* scale, float* shift) {
    for (int64_t f = 0; f < n; ++f) {
        scale[f] += g[f] * ((x[f] - mean) * rstd);
        shift[f] += g[f];
    }
}

WARD_SIMD_CLONES void add_scaled(const float* x, float factor, int64_t n, double* out) {
    for (int64_t j = 0; j < n; ++j)
        out[j] += static_cast<double>(factor) * static_cast<double>(x[j]);
}

}  // namespace

double sum_of_squares(const float* x, int64_t n) { return block_squares(x, n); }

at::Tensor row_squares(const at::Tensor& x) {
    if (!x.device().is_cpu()) return x.to(at::kDouble).square().sum(1);
    const at::Tensor rows = x.to(at::kFloat).contiguous();
    at::Tensor out = torch::empty({rows.size(0)}, at::kDouble);
    const int64_t n = rows.size(1);
    const float* data = rows.data_ptr<float>();
    double* squares = out.data_ptr<double>();
    at::parallel_for(0, rows.size(0), row_grain(n), [&](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; ++r) squares[r] = block_squares(data + r * n, n);
    });
    return out;
}

std::tuple<at::Tensor, at::Tensor> row_dot_and_sum(const at::Tensor& g, const at::Tensor& x) {
    if (!plain_cpu(g) || !plain_cpu(x)) return {(g * x).sum(1), g.sum(1)};
    const int64_t rows = g.size(0), n = g.size(1);
    at::Tensor dots = torch::empty({rows}), sums = torch::empty({rows});
    const float *g_data = g.data_ptr<float>(), *x_data = x.data_ptr<float>();
    float *dot_data = dots.data_ptr<float>(), *sum_data = sums.data_ptr<float>();
    at::parallel_for(0, rows, row_grain(n), [&](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; ++r) {
            dot_and_sum(g_data + r * n, x_data + r * n, n, dot_data + r, sum_data + r);
        }
    });
    return {dots, sums};
}

std::tuple<at::Tensor, at::Tensor> layer_norm_parameter_gradients(const at::Tensor& g,
                                                                  const at::Tensor& x,
                                                                  const at::Tensor& mean,
                                                                  const at::Tensor& rstd) {
    const int64_t batch = g.size(0), features = g.size(-1),
                  positions = g.numel() / (batch * features);
    if (!plain_cpu(g) || !plain_cpu(x)) {
        const at::Tensor products = (g * ((x - mean) * rstd)).view({batch, positions, features});
        return {products.sum(1), g.view({batch, positions, features}).sum(1)};
    }
    at::Tensor scale = torch::zeros({batch, features}), shift = torch::zeros({batch, features});
    const float *g_data = g.data_ptr<float>(), *x_data = x.data_ptr<float>();
    const float *mean_data = mean.data_ptr<float>(), *rstd_data = rstd.data_ptr<float>();
    float *scale_data = scale.data_ptr<float>(), *shift_data = shift.data_ptr<float>();
    at::parallel_for(0, batch, row_grain(positions * features), [&](int64_t first, int64_t last) {
        for (int64_t r = first * positions; r < last * positions; ++r) {
            const int64_t b = r / positions;
            add_norm_gradients(g_data + r * features, x_data + r * features, mean_data[r],
                               rstd_data[r], features, scale_data + b * features,
                               shift_data + b * features);
        }
    });
    return {scale, shift};
}

at::Tensor weighted_row_sum(const at::Tensor& rows, const at::Tensor& factors) {
    if (!plain_cpu(rows)) return at::matmul(factors, rows.to(at::kFloat));
    const int64_t batch = rows.size(0), n = rows.size(1);
    at::Tensor out = torch::empty({n});
    const float *data = rows.data_ptr<float>(), *factor = factors.data_ptr<float>();
    float* sum = out.data_ptr<float>();
    // Columns are split, not rows: each sum is added in the order of the examples whatever the
    // number of threads.
    constexpr int64_t kWidth = 1024;
    at::parallel_for(
        0, (n + kWidth - 1) / kWidth, row_grain(batch * kWidth), [&](int64_t first, int64_t last) {
            std::vector<double> sums(kWidth);
            for (int64_t tile = first; tile < last; ++tile) {
                const int64_t column = tile * kWidth, width = std::min(kWidth, n - column);
                std::fill(sums.begin(), sums.end(), 0.0);
                for (int64_t b = 0; b < batch; ++b)
                    add_scaled(data + b * n + column, factor[b], width, sums.data());
                for (int64_t j = 0; j < width; ++j) sum[column + j] = static_cast<float>(sums[j]);
            }
        });
    return out;
}

}  // namespace ward::nn
