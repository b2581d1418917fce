// Gradient rule of convolutions: weight {D, C / groups, kh, kw} applied at T = H' W' output pixels,
// bias {D}. An image's patches are the rows a_t of a linear map, laid out tile by tile (im2col) in
// cache.
#include <algorithm>
#include <cmath>
#include <utility>

#include "ward/core/error.h"
#include "ward/nn/internal/blas.h"
#include "ward/nn/internal/gradient_rule.h"
#include "ward/nn/internal/im2col.h"
#include "ward/nn/kernels.h"
#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

// Patches of one tile, in floats: half a megabyte stays in a second-level cache.
constexpr int64_t kTileFloats = 1 << 17;

enum class Way { kKept, kDirect, kGhost };

class ConvRule : public GradientRule {
  public:
    ConvRule(ParameterUse use, const at::Tensor& weight, const RuleContext& context)
        : use_(std::move(use)), weight_shape_(weight.sizes().vec()), context_(context) {
        use_.input = use_.input.to(at::kFloat).contiguous();
        use_.gradient = use_.gradient.to(at::kFloat).contiguous();
        const ConvGeometry& geometry = use_.geometry;
        shape_ = {use_.input.size(1) / geometry.groups,
                  use_.input.size(2),
                  use_.input.size(3),
                  use_.gradient.size(2),
                  use_.gradient.size(3),
                  geometry};
        out_channels_ = use_.gradient.size(1) / geometry.groups;
        way_ = choose_way();
    }

    RuleNorms norms() override {
        const int64_t batch = context_.examples;
        RuleNorms total{torch::zeros({batch}, at::kDouble), torch::zeros({batch}, at::kDouble)};
        if (use_.bias >= 0) {
            bias_gradient_ =
                use_.gradient.sum({2, 3}).view({batch, context_.views, -1}).sum(1).contiguous();
            total.squared.add_(row_squares(bias_gradient_).to(at::kCPU));
        }
        if (use_.weight < 0) return total;
        const bool own_loops = use_.input.device().is_cpu() && has_per_thread_blas();
        const RuleNorms weight = !own_loops            ? norms_by_aten()
                                 : way_ == Way::kGhost ? ghost()
                                                       : direct();
        return {total.squared + weight.squared.to(at::kCPU),
                total.slack + weight.slack.to(at::kCPU)};
    }

    void add_weighted_sum(const at::Tensor& factors, std::vector<at::Tensor>& sums) override {
        const at::Tensor f = factors.to(use_.input.device()).contiguous();
        if (use_.bias >= 0) accumulate(sums, use_.bias, weighted_row_sum(bias_gradient_, f));
        if (use_.weight < 0) return;
        if (kept_.defined()) {
            accumulate(sums, use_.weight, weighted_row_sum(kept_, f).view(weight_shape_));
            return;
        }
        at::Tensor input = use_.input, gradient = use_.gradient;
        const at::Tensor rows = f.view({-1, 1}).expand({-1, context_.views}).reshape({-1, 1, 1, 1});
        at::Tensor& smaller = input.numel() < gradient.numel() ? input : gradient;
        smaller = smaller * rows;
        accumulate(sums, use_.weight, weight_gradient(input, gradient));
    }

  private:
    int64_t area() const { return shape_.out_height * shape_.out_width; }
    int64_t patch() const { return shape_.patch_size(); }
    int64_t groups() const { return use_.geometry.groups; }
    int64_t weight_size() const { return groups() * out_channels_ * patch(); }

    // Multiplications of each way against the plain weight gradient's T p d (see linear_rule.cc).
    // Patches are laid out anew for the norms in every way.
    Way choose_way() const {
        const int64_t kept_bytes = weight_size() * 4;
        const bool small = weight_size() <= kAlwaysKeptWeights && groups() == 1;
        const bool fits = small || kept_bytes <= *context_.memory_left_bytes;
        const bool ghost_possible = context_.views == 1 && groups() == 1 && area() <= 4096;
        if (context_.method == NormMethod::kGhost && ghost_possible) return Way::kGhost;
        if (context_.method == NormMethod::kDirect) return Way::kDirect;
        if (small) return Way::kKept;
        const int64_t t = area(), p = patch(), d = out_channels_;
        const int64_t ghost_cost = t * t * (p + d) / 2, direct_cost = t * p * d;
        if (fits && (!ghost_possible || 16 * p * d < ghost_cost)) return Way::kKept;
        return ghost_possible && ghost_cost < direct_cost ? Way::kGhost : Way::kDirect;
    }

    at::Tensor weight_gradient(const at::Tensor& input, const at::Tensor& gradient) const {
        const ConvGeometry& g = use_.geometry;
        std::vector<int64_t> shape = weight_shape_;
        if (shape.size() == 3) shape.insert(shape.begin() + 2, 1);
        const at::Tensor weight = torch::empty({1}, input.options()).expand(shape);
        return std::get<1>(at::convolution_backward(gradient, input, weight, c10::nullopt,
                                                    {g.stride_height, g.stride_width},
                                                    {g.padding_height, g.padding_width}, {1, 1},
                                                    false, {0, 0}, g.groups, {false, true, false}))
            .view(weight_shape_);
    }

    // One example at a time through ATen: any device.
    RuleNorms norms_by_aten() {
        std::vector<at::Tensor> squares;
        for (int64_t b = 0; b < context_.examples; ++b) {
            const at::Tensor gradient =
                weight_gradient(use_.input.narrow(0, b * context_.views, context_.views),
                                use_.gradient.narrow(0, b * context_.views, context_.views));
            squares.push_back(row_squares(gradient.view({1, -1})));
        }
        const at::Tensor squared = at::cat(squares);
        return {squared, computed_apart_slack(squared)};
    }

    RuleNorms direct() {
        const int64_t batch = context_.examples, size = weight_size();
        const bool keep = way_ == Way::kKept;
        if (keep) {
            *context_.memory_left_bytes -= size * 4;
            kept_ = torch::empty({batch, size});
        }
        at::Tensor squared = torch::empty({batch}, at::kDouble);
        double* out = squared.data_ptr<double>();
        float* kept = keep ? kept_.data_ptr<float>() : nullptr;
        const int64_t tile_rows =
            std::clamp<int64_t>(kTileFloats / (patch() * shape_.out_width), 1, shape_.out_height);
        const SingleThreadBlas single_thread;
        at::parallel_for(0, batch, 1, [&](int64_t first, int64_t last) {
            PhasedImage phases(shape_);
            std::vector<float> columns(patch() * tile_rows * shape_.out_width),
                scratch(keep ? 0 : size);
            for (int64_t b = first; b < last; ++b) {
                float* gradient = keep ? kept + b * size : scratch.data();
                example_gradient(b, tile_rows, phases, columns.data(), gradient);
                out[b] = sum_of_squares(gradient, size);
            }
        });
        return {squared, keep ? torch::zeros_like(squared) : computed_apart_slack(squared)};
    }

    // gradient {groups, D / groups, patch} of example b, summed over its views.
    void example_gradient(int64_t b, int64_t tile_rows, PhasedImage& phases, float* columns,
                          float* gradient) const {
        const int64_t image_size = shape_.channels * shape_.height * shape_.width;
        const float *input = use_.input.data_ptr<float>(), *outer = use_.gradient.data_ptr<float>();
        for (int64_t view = b * context_.views; view < (b + 1) * context_.views; ++view) {
            for (int64_t group = 0; group < groups(); ++group) {
                const float* image = input + (view * groups() + group) * image_size;
                const float* g = outer + (view * groups() + group) * out_channels_ * area();
                float* out = gradient + group * out_channels_ * patch();
                phases.load(image);
                for (int64_t row = 0; row < shape_.out_height; row += tile_rows) {
                    const int64_t end = std::min(shape_.out_height, row + tile_rows);
                    const int64_t tile = (end - row) * shape_.out_width;
                    im2col(phases, shape_, row, end, columns);
                    const bool first = row == 0 && view == b * context_.views;
                    multiply(out_channels_, patch(), tile,
                             {g + row * shape_.out_width, area(), false}, {columns, tile, true},
                             first ? 0.0f : 1.0f, out, patch());
                }
            }
        }
    }

    // The norm was taken of one computed gradient, the sum adds the products anew: both are within
    // gamma_T ||A||_F ||G||_F of the exact gradient, and ||A||_F^2 <= kernel area * ||image||^2.
    at::Tensor computed_apart_slack(const at::Tensor& squared) const {
        const ConvGeometry& g = use_.geometry;
        const int64_t batch = context_.examples;
        const double kernel_area = static_cast<double>(g.kernel_height * g.kernel_width);
        const double terms = static_cast<double>(area() * context_.views) * 0x1p-24;
        const at::Tensor radius = (row_squares(use_.input.view({batch, -1})) *
                                   row_squares(use_.gradient.view({batch, -1})) * kernel_area)
                                      .sqrt() *
                                  (terms / (1 - terms));
        return radius * (2 * squared.sqrt() + radius);
    }

    RuleNorms ghost() const {
        const int64_t batch = context_.examples, t = area(), p = patch(), d = out_channels_;
        at::Tensor squared = torch::empty({batch}, at::kDouble),
                   slack = torch::empty({batch}, at::kDouble);
        double *squared_data = squared.data_ptr<double>(), *slack_data = slack.data_ptr<double>();
        const float *input = use_.input.data_ptr<float>(), *outer = use_.gradient.data_ptr<float>();
        const int64_t image_size = shape_.channels * shape_.height * shape_.width;
        const SingleThreadBlas single_thread;
        at::parallel_for(0, batch, 1, [&](int64_t first, int64_t last) {
            PhasedImage phases(shape_);
            std::vector<float> columns(p * t), a_gram(t * t), g_gram(t * t);
            for (int64_t b = first; b < last; ++b) {
                phases.load(input + b * image_size);
                im2col(phases, shape_, 0, shape_.out_height, columns.data());
                gram(t, p, {columns.data(), t, true}, a_gram.data());
                gram(t, d, {outer + b * d * t, t, true}, g_gram.data());
                const GramNorm norm = norm_from_grams(a_gram.data(), g_gram.data(), t, p + d);
                squared_data[b] = norm.squared;
                slack_data[b] = norm.slack;
            }
        });
        return {squared, slack};
    }

    ParameterUse use_;
    std::vector<int64_t> weight_shape_;
    RuleContext context_;
    ConvShape shape_{};
    int64_t out_channels_ = 0;  // of one group
    Way way_ = Way::kDirect;
    at::Tensor bias_gradient_;  // {B, D}
    at::Tensor kept_;           // {B, weight size}
};

}  // namespace

std::unique_ptr<GradientRule> make_conv_rule(ParameterUse use, const at::Tensor& weight,
                                             const RuleContext& context) {
    return std::make_unique<ConvRule>(std::move(use), weight, context);
}

}  // namespace ward::nn
