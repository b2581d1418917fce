#include "ward/train/evaluate.h"

#include <algorithm>
#include <numeric>

#include "ward/core/error.h"
#include "ward/nn/torch.h"
#include "ward/train/batch.h"

namespace ward::train {
namespace {

constexpr int64_t kRowsAtOnce = 500;

// `function`: {batch, example_shape...} -> {batch, outputs}, float32.
template <typename Function>
Predictions in_pieces(const Function& function, const data::Dataset& data, int64_t outputs) {
    at::NoGradGuard no_grad;
    Predictions result{outputs, {}};
    std::vector<int64_t> shape = data.example_shape;
    shape.insert(shape.begin(), 0);
    for (int64_t first = 0; first < data.size(); first += kRowsAtOnce) {
        shape[0] = std::min(kRowsAtOnce, data.size() - first);
        const at::Tensor x = torch::from_blob(
            const_cast<float*>(data.inputs.data()) + first * data.example_size(), shape);
        const at::Tensor y = function(x).to(at::kCPU).contiguous();
        result.outputs = y.size(1);
        result.values.insert(result.values.end(), y.data_ptr<float>(),
                             y.data_ptr<float>() + y.numel());
    }
    return result;
}

at::Tensor as_probabilities(const at::Tensor& outputs) {
    const bool shares =
        (outputs >= 0).all().item<bool>() && (outputs.sum(1) - 1).abs().max().item<float>() < 1e-3f;
    return shares ? outputs : at::softmax(outputs, 1);
}

}  // namespace

Predictions predict(nn::Network& network, const data::Dataset& data) {
    network.set_training(false);
    const bool classes = network.spec().task == model::Task::kClassification;
    const auto function = [&](const at::Tensor& x) {
        const at::Tensor y = network.forward(x.to(at::Device(network.device())));
        return classes ? at::softmax(y, 1) : y;
    };
    return in_pieces(function, data, network.spec().outputs);
}

Predictions predict(const nn::ScriptModule& module, const data::Dataset& data) {
    const bool classes = data.targets.empty();
    const auto function = [&](const at::Tensor& x) {
        const at::Tensor y = module.forward(x);
        return classes ? as_probabilities(y) : y;
    };
    return in_pieces(function, data, 0);
}

std::vector<int64_t> predicted_classes(const Predictions& predictions) {
    std::vector<int64_t> classes;
    for (size_t i = 0; i < predictions.values.size(); i += predictions.outputs) {
        const auto first = predictions.values.begin() + static_cast<int64_t>(i);
        classes.push_back(std::max_element(first, first + predictions.outputs) - first);
    }
    return classes;
}

double accuracy(const Predictions& predictions, const data::Dataset& data) {
    if (data.labels.empty())
        throw Error(ErrorCode::kInvalid,
                    "data set " + data.name + " has no labels to compare with");
    const auto classes = predicted_classes(predictions);
    int64_t right = 0;
    for (size_t i = 0; i < classes.size(); ++i) right += classes[i] == data.labels[i] ? 1 : 0;
    return static_cast<double>(right) / static_cast<double>(classes.size());
}

}  // namespace ward::train
