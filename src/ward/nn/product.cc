#include "ward/nn/internal/product.h"

#include <algorithm>

#include "ward/nn/runtime.h"
#include "ward/nn/torch.h"
#ifdef WARD_HAS_ONEDNN
#include <dnnl.h>
#endif

namespace ward::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Row-major C {m, n} = op(A) op(B) + beta C.
struct Product {
    int64_t m, n, k;
    const float* a;
    int64_t a_stride;
    bool transposed_a;
    const float* b;
    int64_t b_stride;
    bool transposed_b;
    float beta;
    float* c;
};

#ifdef WARD_HAS_ONEDNN

constexpr int64_t kTile = 16;  // pieces are whole tiles of the kernels
constexpr int64_t kLeastWork =
    1 << 21;  // multiplications below which threads cost more than they save

void multiply_piece(const Product& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
    dnnl_sgemm(p.transposed_a ? 'T' : 'N', p.transposed_b ? 'T' : 'N', m1 - m0, n1 - n0, p.k, 1.0F,
               p.a + (p.transposed_a ? m0 : m0 * p.a_stride), p.a_stride,
               p.b + (p.transposed_b ? n0 * p.b_stride : n0), p.b_stride, p.beta,
               p.c + m0 * p.n + n0, p.n);
}

// Shared along the longer side: oneDNN's own way of sharing leaves threads idle for some shapes.
void multiply(const Product& p) {
    const int64_t longer = std::max(p.m, p.n),
                  threads = at::in_parallel_region() ? 1 : at::get_num_threads();
    const int64_t width = ((longer + threads - 1) / threads + kTile - 1) / kTile * kTile;
    if (threads == 1 || p.m * p.n * p.k < kLeastWork) {
        multiply_piece(p, 0, p.m, 0, p.n);
        return;
    }
    at::parallel_for(0, (longer + width - 1) / width, 1, [&](int64_t first, int64_t last) {
        const int64_t begin = first * width, end = std::min(last * width, longer);
        p.m >= p.n ? multiply_piece(p, begin, end, 0, p.n) : multiply_piece(p, 0, p.m, begin, end);
    });
}

bool here(const at::Tensor& a, const at::Tensor& b) {
    return uses_own_kernels() && a.device().is_cpu() && b.device().is_cpu() &&
           a.scalar_type() == at::kFloat && b.scalar_type() == at::kFloat && a.numel() > 0 &&
           b.numel() > 0;
}

#else

void multiply(const Product&) {}
bool here(const at::Tensor&, const at::Tensor&) { return false; }

#endif

at::Tensor rows_of(const at::Tensor& t) { return t.reshape({-1, t.size(-1)}); }

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (!here(x, weight)) return at::linear(x, weight, bias);
    const at::Tensor rows = rows_of(x).contiguous(), w = weight.contiguous();
    const int64_t m = rows.size(0), n = w.size(0), k = w.size(1);
    at::Tensor out = torch::empty({m, n});
    if (bias.defined()) out.copy_(bias.expand({m, n}));
    multiply({m, n, k, rows.data_ptr<float>(), k, false, w.data_ptr<float>(), k, true,
              bias.defined() ? 1.0F : 0.0F, out.data_ptr<float>()});
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = n;
    return out.view(shape);
}

struct LinearProduct : torch::autograd::Function<LinearProduct> {
    static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight,
                            const Variable& bias) {
        const bool wants_x = x.requires_grad(), wants_weight = weight.requires_grad();
        context->saved_data["wants_x"] = wants_x;
        context->saved_data["wants_weight"] = wants_weight;
        context->saved_data["wants_bias"] = bias.requires_grad();
        context->save_for_backward({wants_weight ? x : Variable(), wants_x ? weight : Variable()});
        return linear(x, weight, bias.numel() > 0 ? bias : at::Tensor());
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const at::Tensor gradient = gradients[0], rows = rows_of(gradient);
        // Only products of ATen have gradients of their own.
        const auto times = [](const at::Tensor& a, bool transposed_a, const at::Tensor& b) {
            if (at::GradMode::is_enabled()) return at::mm(transposed_a ? a.t() : a, b);
            return product(a, transposed_a, b, false);
        };
        variable_list result(3);
        if (context->saved_data["wants_x"].toBool()) {
            std::vector<int64_t> shape = gradient.sizes().vec();
            shape.back() = saved[1].size(1);
            result[0] = times(rows, false, saved[1]).view(shape);
        }
        if (context->saved_data["wants_weight"].toBool())
            result[1] = times(rows, true, rows_of(saved[0]));
        if (context->saved_data["wants_bias"].toBool()) result[2] = rows.sum(0);
        return result;
    }
};

}  // namespace

at::Tensor product(const at::Tensor& a, bool transposed_a, const at::Tensor& b, bool transposed_b) {
    if (!here(a, b)) return at::mm(transposed_a ? a.t() : a, transposed_b ? b.t() : b);
    const at::Tensor left = a.contiguous(), right = b.contiguous();
    const int64_t m = a.size(transposed_a ? 1 : 0), k = a.size(transposed_a ? 0 : 1),
                  n = b.size(transposed_b ? 0 : 1);
    at::Tensor out = torch::empty({m, n});
    multiply({m, n, k, left.data_ptr<float>(), left.size(1), transposed_a, right.data_ptr<float>(),
              right.size(1), transposed_b, 0.0F, out.data_ptr<float>()});
    return out;
}

at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (!here(x, weight)) return at::linear(x, weight, bias);
    // Autograd takes no undefined inputs: an empty one stands for no bias.
    return LinearProduct::apply(x, weight, bias.defined() ? bias : torch::empty({0}));
}

}  // namespace ward::nn
