#include "ward/train/private_step.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "ward/core/error.h"
#include "ward/dp/discrete_gaussian.h"
#include "ward/nn/private_gradients.h"
#include "ward/nn/tape.h"
#include "ward/nn/torch.h"
#include "ward/train/clipping.h"
#include "ward/train/internal/row_invariance.h"
#include "ward/train/lattice.h"

namespace ward::train {

at::Tensor summed_loss(const at::Tensor& outputs, const at::Tensor& labels, model::Task task,
                       int64_t views) {
    // Shapes that broadcast would compare each example with the targets of all others.
    if (task == model::Task::kRegression && outputs.sizes() != labels.sizes()) {
        throw Error(ErrorCode::kInvalid,
                    "a regression needs one target for each output of the model",
                    "choose a model with one output, or data with targets");
    }
    const at::Tensor total = task == model::Task::kClassification
                                 ? at::cross_entropy_loss(outputs, labels, {}, at::Reduction::Sum)
                                 : at::mse_loss(outputs, labels, at::Reduction::Sum) * 0.5;
    return views == 1 ? total : total / static_cast<double>(views);
}

namespace {

// The examples whose gradient is finite. The others contribute nothing: a factor of zero would not
// do, for zero times infinity is not a number, and one such number would wipe out the sum of all.
Batch finite_rows(const Batch& batch, const at::Tensor& finite, int64_t views) {
    const at::Tensor rows =
        finite.repeat_interleave(views).nonzero().squeeze(1).to(batch.inputs.device());
    return {batch.inputs.index_select(0, rows), batch.labels.index_select(0, rows)};
}

// All examples of a batch would take their masks from one stream of a small generator: without one
// of them the others get other masks, and move.
bool drops_units(const std::vector<model::LayerSpec>& layers) {
    return std::any_of(layers.begin(), layers.end(), [](const model::LayerSpec& layer) {
        if (const auto* dropout = std::get_if<model::Dropout>(&layer.kind))
            return dropout->probability > 0;
        const auto* residual = std::get_if<model::Residual>(&layer.kind);
        return residual != nullptr &&
               (drops_units(residual->body) || drops_units(residual->shortcut));
    });
}

// Where in its parameters a network has the n-th trainable number.
class Coordinates {
  public:
    explicit Coordinates(const nn::Network& network) {
        for (size_t i = 0; i < network.parameters().size(); ++i) {
            const nn::Parameter& parameter = network.parameters()[i];
            if (!parameter.trainable) continue;
            if (!parameter.value.is_cpu())
                throw Error(ErrorCode::kUnsupported, "canaries are for training on the CPU");
            ends_.push_back((ends_.empty() ? 0 : ends_.back()) + parameter.value.numel());
            parameters_.push_back(i);
        }
    }

    // Index of the parameter, and offset in it.
    std::pair<size_t, int64_t> place(int64_t coordinate) const {
        const auto end = std::upper_bound(ends_.begin(), ends_.end(), coordinate);
        if (coordinate < 0 || end == ends_.end()) {
            throw Error(ErrorCode::kInvalid, "a canary is in coordinate " +
                                                 std::to_string(coordinate) +
                                                 ", the network trains " +
                                                 std::to_string(ends_.empty() ? 0 : ends_.back()));
        }
        const auto index = static_cast<size_t>(end - ends_.begin());
        return {parameters_[index], coordinate - (index == 0 ? 0 : ends_[index - 1])};
    }

  private:
    std::vector<int64_t> ends_;
    std::vector<size_t> parameters_;
};

}  // namespace

PrivateStep::PrivateStep(nn::Network& network, const dp::PrivacyPlan& plan, int64_t views,
                         int64_t usual_examples)
    : network_(network),
      plan_(plan),
      views_(views),
      clipping_norm_(plan.clipping_norm()),
      largest_micro_batch_(
          ward::train::largest_micro_batch(network.spec(), plan.settings().expected_batch, views)),
      invariance_(std::make_unique<RowInvariance>(
          network,
          usual_examples > 0 ? usual_examples
                             : std::min(plan.settings().expected_batch, largest_micro_batch_),
          views)),
      noise_(std::make_unique<dp::DiscreteGaussian>(plan.noise_sigma_steps())) {
    if (drops_units(network.spec().layers)) {
        throw Error(ErrorCode::kRefused, "dropout and differential privacy do not go together",
                    "take the dropout layers out of the model: noise regularises already");
    }
    int64_t trainable = 0;
    for (const nn::Parameter& parameter : network.parameters()) {
        if (parameter.trainable) trainable += parameter.value.numel();
    }
    const dp::PlanRequest& settings = plan.settings();
    if (settings.dimension != trainable) {
        throw Error(ErrorCode::kRefused,
                    "the privacy plan is for " + std::to_string(settings.dimension) +
                        " parameters, the model trains " + std::to_string(trainable),
                    "make the plan for this model");
    }
    if (settings.sensitivity_margin < kSensitivityMargin) {
        throw Error(ErrorCode::kRefused,
                    "the privacy plan has no margin for rounding in float32 sums",
                    "make the plan with sensitivity_margin = kSensitivityMargin");
    }
}

PrivateStep::~PrivateStep() = default;

at::Tensor PrivateStep::clip_factors(const at::Tensor& squared_norm_bounds) const {
    switch (plan_.settings().clipping) {
        case dp::ClippingKind::kPerLayer:
            return per_layer_clip_factors(squared_norm_bounds, plan_.settings().layer_norms);
        case dp::ClippingKind::kAutomatic:
            return automatic_clip_factors(squared_norm_bounds, clipping_norm_);
        case dp::ClippingKind::kFlat:
        case dp::ClippingKind::kAdaptive:
            return flat_clip_factors(squared_norm_bounds, clipping_norm_);
    }
    throw Error(ErrorCode::kInternal, "unknown clipping");
}

void PrivateStep::add(const Batch& batch) {
    if (batch.inputs.size(0) == 0) return;
    if (batch.inputs.size(0) > largest_micro_batch_ * views_) {
        throw Error(ErrorCode::kRefused,
                    "a micro-batch of " + std::to_string(batch.inputs.size(0) / views_) +
                        " examples is more than the plan's margin for rounding covers",
                    "use at most " + std::to_string(largest_micro_batch_));
    }
    int64_t first = 0;
    for (const RowInvariance::Pass& pass : invariance_->passes(batch.inputs.size(0) / views_)) {
        const int64_t rows = pass.examples * views_;
        add_pass({batch.inputs.narrow(0, first, rows), batch.labels.narrow(0, first, rows)},
                 pass.rows);
        first += rows;
    }
}

// One forward and one backward pass over `rows` rows, those of the batch and padding.
void PrivateStep::add_pass(const Batch& batch, int64_t rows) {
    nn::Tape tape;
    {
        const at::Tensor outputs = network_.forward(padded(batch.inputs, rows), &tape);
        summed_loss(outputs, padded(batch.labels, rows), network_.spec().task, views_).backward();
    }
    tape.keep_rows(batch.inputs.size(0));
    nn::PrivateGradients gradients(network_, std::move(tape), {views_});
    const at::Tensor& bounds = gradients.squared_norm_bounds();
    const at::Tensor finite = at::isfinite(bounds.sum(0));
    if (!finite.all().item<bool>()) {
        add(finite_rows(batch, finite, views_));
        return;
    }
    const double below = (bounds.sum(0) <= clipping_norm_ * clipping_norm_).sum().item<double>();
    centred_count_ += below - 0.5 * static_cast<double>(gradients.examples());

    std::vector<at::Tensor> sums(network_.parameters().size());
    gradients.add_weighted_sum(clip_factors(bounds), sums);
    if (sums_.empty()) {
        sums_ = std::move(sums);
        return;
    }
    for (size_t i = 0; i < sums.size(); ++i) {
        if (!sums[i].defined()) continue;
        sums_[i] = sums_[i].defined() ? sums_[i].to(at::kDouble).add_(sums[i]) : sums[i];
    }
}

void PrivateStep::add_canaries(std::span<const DiracCanary> canaries) {
    if (canaries.empty()) return;
    const Coordinates coordinates(network_);
    const auto count = static_cast<int64_t>(canaries.size());
    if (plan_.settings().clipping == dp::ClippingKind::kPerLayer)
        throw Error(ErrorCode::kUnsupported, "canaries are not for clipping per layer");
    at::Tensor norms = torch::zeros({1, count}, at::kDouble);
    for (int64_t i = 0; i < count; ++i) {
        if (!std::isfinite(canaries[i].value))
            throw Error(ErrorCode::kInvalid, "the gradient of a canary is not finite");
        norms.data_ptr<double>()[i] = canaries[i].value * canaries[i].value;
    }
    const at::Tensor factors = clip_factors(norms).to(at::kDouble).contiguous();
    centred_count_ += (norms <= clipping_norm_ * clipping_norm_).sum().item<double>() -
                      0.5 * static_cast<double>(count);
    sums_.resize(network_.parameters().size());
    for (int64_t i = 0; i < count; ++i) {
        const auto [parameter, offset] = coordinates.place(canaries[i].coordinate);
        at::Tensor& sum = sums_[parameter];
        if (!sum.defined())
            sum = torch::zeros(network_.parameters()[parameter].value.sizes(), at::kDouble);
        if (sum.scalar_type() != at::kDouble || !sum.is_contiguous())
            sum = sum.to(at::kDouble).contiguous();
        sum.data_ptr<double>()[offset] += factors.data_ptr<double>()[i] * canaries[i].value;
    }
}

std::vector<double> PrivateStep::sum_at(std::span<const int64_t> coordinates) const {
    const Coordinates places(network_);
    std::vector<at::Tensor> sums;
    for (const at::Tensor& sum : sums_)
        sums.push_back(sum.defined() ? sum.to(at::kDouble).contiguous() : sum);
    std::vector<double> values;
    for (const int64_t coordinate : coordinates) {
        const auto [parameter, offset] = places.place(coordinate);
        const bool empty = sums.empty() || !sums[parameter].defined();
        values.push_back(empty ? 0.0 : sums[parameter].data_ptr<double>()[offset]);
    }
    return values;
}

std::vector<at::Tensor> PrivateStep::finish(Random& random) {
    at::NoGradGuard no_grad;
    if (steps_done_ >= plan_.steps()) {
        throw Error(
            ErrorCode::kRefused,
            "the privacy plan has " + std::to_string(plan_.steps()) + " steps, all are taken",
            "make a plan for more steps before the run");
    }
    ++steps_done_;
    const double step = plan_.grid_step() * clipping_norm_;
    const double scale = step / static_cast<double>(plan_.settings().expected_batch);
    std::vector<at::Tensor> gradients = std::move(sums_);
    gradients.resize(network_.parameters().size());
    for (size_t i = 0; i < gradients.size(); ++i) {
        const nn::Parameter& parameter = network_.parameters()[i];
        if (parameter.trainable && !gradients[i].defined())
            gradients[i] = at::zeros_like(parameter.value);
    }
    add_lattice_noise(gradients, step, *noise_, random, scale);
    sums_.clear();
    if (plan_.settings().clipping == dp::ClippingKind::kAdaptive) adapt_clipping_norm(random);
    centred_count_ = 0;
    return gradients;
}

// Andrew, Thakkar, McMahan, Ramaswamy, "Differentially Private Learning with Adaptive Clipping",
// NeurIPS 2021, algorithm 1: each example counts 1/2 when its norm is within C and -1/2 when not,
// so that it moves the count by 1/2.
void PrivateStep::adapt_clipping_norm(Random& random) {
    const dp::AdaptiveClipping& adaptive = plan_.settings().adaptive;
    const double lattice_step =
        std::min(0.5, std::exp2(std::floor(std::log2(plan_.count_noise())) - 24));
    const dp::DiscreteGaussian noise(plan_.count_noise() / lattice_step);
    int64_t value = 0;
    noise.sample_vartime(random, std::span<int64_t>(&value, 1));
    const double noisy = centred_count_ + static_cast<double>(value) * lattice_step;
    const double fraction =
        std::clamp(noisy / static_cast<double>(plan_.settings().expected_batch) + 0.5, 0.0, 1.0);
    clipping_norm_ *= std::exp(-adaptive.learning_rate * (fraction - adaptive.quantile));
}

void PrivateStep::resume(int64_t steps_done, double clipping_norm) {
    const bool moves = plan_.settings().clipping == dp::ClippingKind::kAdaptive;
    if (steps_done < 0 || steps_done > plan_.steps() ||
        !(std::isfinite(clipping_norm) && clipping_norm > 0) ||
        (!moves && clipping_norm != plan_.clipping_norm())) {
        throw Error(ErrorCode::kCorrupt,
                    "a position or another clipping norm than the plan has: step " +
                        std::to_string(steps_done) + ", norm " + std::to_string(clipping_norm));
    }
    steps_done_ = steps_done;
    clipping_norm_ = clipping_norm;
}

double PrivateStep::noise_standard_deviation() const {
    return plan_.noise_sigma_steps() * plan_.grid_step() * clipping_norm_ /
           static_cast<double>(plan_.settings().expected_batch);
}

}  // namespace ward::train
