// Gradient rule of embeddings, also with linear layers tied to the same weight {vocabulary,
// dimension}.
#include <algorithm>
#include <numeric>
#include <utility>

#include "ward/nn/internal/gradient_rule.h"
#include "ward/nn/kernels.h"
#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

// Squared norm of the embedding gradient of one example: rows of equal tokens add up before they
// are squared.
double token_squares(const int64_t* tokens, const float* gradient, int64_t positions,
                     int64_t dimension) {
    std::vector<int64_t> order(positions);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](int64_t a, int64_t b) { return tokens[a] < tokens[b]; });
    std::vector<double> row(dimension);
    double total = 0;
    for (int64_t i = 0; i < positions;) {
        std::fill(row.begin(), row.end(), 0.0);
        const int64_t token = tokens[order[i]];
        for (; i < positions && tokens[order[i]] == token; ++i) {
            const float* g = gradient + order[i] * dimension;
            for (int64_t j = 0; j < dimension; ++j) row[j] += g[j];
        }
        for (double value : row) total += value * value;
    }
    return total;
}

class EmbeddingRule : public GradientRule {
  public:
    EmbeddingRule(const std::vector<ParameterUse>& embeddings,
                  const std::vector<ParameterUse>& linears, const at::Tensor& weight,
                  const RuleContext& context)
        : index_(embeddings.front().weight),
          shape_(weight.sizes().vec()),
          examples_(context.examples) {
        std::vector<at::Tensor> tokens, gradients;
        for (const ParameterUse& use : embeddings) {
            tokens.push_back(use.input.reshape({examples_, -1}));
            gradients.push_back(use.gradient.to(at::kFloat).reshape({examples_, -1, shape_[1]}));
        }
        tokens_ = at::cat(tokens, 1).contiguous();
        gradients_ = at::cat(gradients, 1).contiguous();
        if (!linears.empty()) {
            const LinearOperands joined = join_linear_uses(linears, examples_);
            tied_ = {joined.input.to(at::kFloat), joined.gradient.to(at::kFloat)};
        }
    }

    RuleNorms norms() override {
        RuleNorms result{embedding_squares(), {}};
        result.slack = cancellation_slack(result.squared);
        if (!tied_.input.defined()) return result;
        const RuleNorms linear = ghost_norms(tied_);
        result.squared =
            (result.squared + linear.squared.to(at::kCPU) + 2 * cross_products()).clamp_min(0);
        result.slack = cancellation_slack(result.squared) + linear.slack.to(at::kCPU);
        return result;
    }

    void add_weighted_sum(const at::Tensor& factors, std::vector<at::Tensor>& sums) override {
        if (tied_.input.defined()) add_linear_weight_sum(tied_, factors, index_, sums);
        if (!sums[index_].defined()) sums[index_] = torch::zeros(shape_, gradients_.options());
        const at::Tensor scaled = gradients_ * factors.to(gradients_.device()).view({-1, 1, 1});
        sums[index_].index_add_(0, tokens_.flatten(), scaled.view({-1, shape_[1]}));
    }

  private:
    at::Tensor embedding_squares() const {
        const at::Tensor tokens = tokens_.to(at::kCPU), gradients = gradients_.to(at::kCPU);
        at::Tensor squares = torch::empty({examples_}, at::kDouble);
        const int64_t positions = tokens.size(1), dimension = shape_[1];
        const int64_t* token_data = tokens.data_ptr<int64_t>();
        const float* gradient_data = gradients.data_ptr<float>();
        double* out = squares.data_ptr<double>();
        at::parallel_for(0, examples_, 1, [&](int64_t first, int64_t last) {
            for (int64_t b = first; b < last; ++b) {
                out[b] =
                    token_squares(token_data + b * positions,
                                  gradient_data + b * positions * dimension, positions, dimension);
            }
        });
        return squares;
    }

    // Rows of equal tokens may cancel in the norm, but they are added one by one in float32 to the
    // sum: T roundings of partial sums as long as sum_t ||g_t||.
    at::Tensor cancellation_slack(const at::Tensor& squared) const {
        const at::Tensor lengths =
            row_squares(gradients_.view({-1, shape_[1]})).sqrt().view({examples_, -1}).sum(1);
        const at::Tensor radius = lengths.to(at::kCPU) * dot_error(gradients_.size(1) + 2);
        return radius * (2 * squared.sqrt() + radius);
    }

    // <embedding gradient, linear gradient> = sum_ts z_s[token_t] <g_t, h_s>, per example, in
    // double.
    at::Tensor cross_products() const {
        at::Tensor out = torch::empty({examples_}, at::kDouble);
        for (int64_t b = 0; b < examples_; ++b) {
            const at::Tensor inner =
                at::matmul(gradients_[b].to(at::kDouble), tied_.input[b].to(at::kDouble).t());
            const at::Tensor picked =
                tied_.gradient[b].to(at::kDouble).index_select(1, tokens_[b]).t();
            out[b] = (inner * picked).sum();
        }
        return out;
    }

    int index_;
    std::vector<int64_t> shape_;
    int64_t examples_;
    at::Tensor tokens_;     // {B, T}
    at::Tensor gradients_;  // {B, T, dimension}
    LinearOperands tied_;   // input {B, S, dimension}, gradient {B, S, vocabulary}
};

}  // namespace

std::unique_ptr<GradientRule> make_embedding_rule(std::vector<ParameterUse> embeddings,
                                                  std::vector<ParameterUse> linears,
                                                  const at::Tensor& weight,
                                                  const RuleContext& context) {
    return std::make_unique<EmbeddingRule>(embeddings, linears, weight, context);
}

}  // namespace ward::nn
