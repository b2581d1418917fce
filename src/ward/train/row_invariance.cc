#include "ward/train/internal/row_invariance.h"

#include <algorithm>
#include <cstring>

#include "ward/core/log.h"
#include "ward/nn/private_gradients.h"
#include "ward/nn/tape.h"
#include "ward/nn/torch.h"
#include "ward/train/private_step.h"

namespace ward::train {
namespace {

constexpr int64_t kUnit =
    16;  // passes are multiples of this many rows: whole vectors, whole register tiles
constexpr int64_t kProbes =
    5;  // examples that the trial repeats; no divisor of a tile, so that each comes to every place

int64_t rounded_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// The first layer that stands for tokens knows how many there are.
int64_t vocabulary_of(const model::ModelSpec& spec) {
    for (const model::LayerSpec& layer : spec.layers) {
        if (const auto* embedding = std::get_if<model::Embedding>(&layer.kind))
            return embedding->vocabulary;
    }
    return 1;
}

at::Tensor probe_inputs(const model::ModelSpec& spec) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(uint64_t{1});
    std::vector<int64_t> shape = spec.input_shape;
    shape.insert(shape.begin(), kProbes);
    if (spec.token_input) return torch::empty(shape).random_(0, vocabulary_of(spec), generator);
    return torch::empty(shape).normal_(0, 1, generator);
}

at::Tensor probe_labels(const model::ModelSpec& spec) {
    if (spec.task == model::Task::kRegression) return torch::ones({kProbes, spec.outputs});
    return torch::arange(kProbes).remainder(spec.outputs);
}

// A number for the bits of each example in {rows, ...} or {examples, ...}.
std::vector<uint64_t> digests(const at::Tensor& tensor, int64_t examples) {
    const at::Tensor whole = tensor.to(at::kCPU).contiguous();
    const size_t width = whole.nbytes() / static_cast<size_t>(examples);
    const auto* bytes = static_cast<const uint8_t*>(whole.data_ptr());
    std::vector<uint64_t> result(examples);
    for (int64_t i = 0; i < examples; ++i) {
        uint64_t digest = 0;
        for (size_t j = 0; j + 4 <= width; j += 4) {
            uint32_t word = 0;
            std::memcpy(&word, bytes + static_cast<size_t>(i) * width + j, sizeof word);
            digest = (digest ^ word) * 0x9e3779b97f4a7c15u;
            digest ^= digest >> 29;
        }
        result[i] = digest;
    }
    return result;
}

}  // namespace

at::Tensor padded(const at::Tensor& tensor, int64_t rows) {
    if (tensor.size(0) == rows) return tensor;
    std::vector<int64_t> shape = tensor.sizes().vec();
    shape[0] = rows - tensor.size(0);
    return at::cat({tensor, at::zeros(shape, tensor.options())});
}

RowInvariance::RowInvariance(nn::Network& network, int64_t usual_examples, int64_t views)
    : network_(network),
      views_(views),
      reference_rows_(rounded_up(std::max(usual_examples, kProbes) * views, kUnit)) {}

// What a pass leaves of each row, and the norms of each example. Example i is probe i +
// first_probe.
RowInvariance::Trace RowInvariance::trace(int64_t rows, int64_t first_probe) const {
    const model::ModelSpec& spec = network_.spec();
    const at::Tensor probes =
        at::floor_divide(torch::arange(rows), views_).add(first_probe).remainder(kProbes);
    const at::Device device(network_.device());
    nn::Tape tape;
    summed_loss(network_.forward(probe_inputs(spec).index_select(0, probes).to(device), &tape),
                probe_labels(spec).index_select(0, probes).to(device), spec.task, views_)
        .backward();
    const int64_t examples = rows / views_;
    tape.keep_rows(examples * views_);
    Trace trace;
    for (const nn::ParameterUse& use : tape.uses()) {
        if (use.input.defined()) trace.push_back(digests(use.input, examples));
        trace.push_back(digests(use.gradient, examples));
    }
    nn::PrivateGradients gradients(network_, std::move(tape), {views_});
    trace.push_back(digests(gradients.squared_norm_bounds().t(), examples));
    return trace;
}

bool RowInvariance::same_bits(int64_t rows, int64_t reference_rows) const {
    constexpr int64_t kShift = 2;  // at equal sizes too every example comes to another place
    const Trace tried = trace(rows, 0), reference = trace(reference_rows, kShift);
    for (size_t i = 0; i < tried.size(); ++i) {
        for (size_t example = 0; example < tried[i].size(); ++example) {
            const size_t place = (example + kProbes - kShift) % kProbes;
            if (tried[i][example] != reference[i].at(place)) return false;
        }
    }
    return true;
}

bool RowInvariance::agrees(int64_t rows) {
    const auto [entry, added] = agrees_.emplace(std::pair(rows, at::get_num_threads()), false);
    if (added) {
        const bool training = network_.training();
        network_.set_training(false);  // no dropout: its draws differ from row to row
        entry->second = same_bits(rows, reference_rows_);
        network_.set_training(training);
    }
    return entry->second;
}

int64_t RowInvariance::reference_rows() {
    for (const int64_t smaller : {int64_t{64}, int64_t{16}, views_}) {
        if (reference_rows_ <= views_ || agrees(reference_rows_)) break;
        const bool shows_all_probes = smaller >= kProbes * views_;
        if (smaller < reference_rows_) reference_rows_ = shows_all_probes ? smaller : views_;
        agrees_.clear();
        if (reference_rows_ == views_) {
            log_warning(
                "this LibTorch gives rows other bits among other rows: examples are worked on one "
                "by one, slowly");
        }
    }
    return reference_rows_;
}

std::vector<RowInvariance::Pass> RowInvariance::passes(int64_t examples) {
    if (examples == 0) return {};
    const int64_t reference = reference_rows(), rows = examples * views_;
    for (const int64_t unit : {kUnit, 4 * kUnit, 16 * kUnit}) {
        const int64_t candidate = rounded_up(rows, unit);
        if (reference > views_ && agrees(candidate)) return {{examples, candidate}};
    }
    std::vector<Pass> passes;
    const int64_t at_once = std::max<int64_t>(1, reference / views_);
    for (int64_t left = examples; left > 0; left -= at_once)
        passes.push_back({std::min(left, at_once), std::max(reference, views_)});
    return passes;
}

}  // namespace ward::train
