#include "ward/mpc/learn/export_model.h"

#include "ward/model/zoo.h"
#include "ward/mpc/fixed_point.h"

namespace ward::mpc {
namespace {

// Outputs x inputs, as Linear has it; a row of zeros before a single output.
model::Weight weight_of(const RingMatrix& w, bool zero_row) {
    const size_t outputs = w.cols + (zero_row ? 1 : 0);
    model::Weight out{{static_cast<int64_t>(outputs), static_cast<int64_t>(w.rows)},
                      std::vector<float>(outputs * w.rows)};
    const size_t skip = zero_row ? w.rows : 0;
    for (size_t i = 0; i < w.rows; ++i) {
        for (size_t j = 0; j < w.cols; ++j) {
            out.values[skip + j * w.rows + i] =
                static_cast<float>(decode(w.values[i * w.cols + j]));
        }
    }
    return out;
}

model::Weight bias_of(const RingMatrix& b, bool zero_row) {
    model::Weight out{{static_cast<int64_t>(b.size() + (zero_row ? 1 : 0))}, {}};
    if (zero_row) out.values.push_back(0);
    for (Ring value : b.values) out.values.push_back(static_cast<float>(decode(value)));
    return out;
}

}  // namespace

model::Model to_model(const NetworkWeights& network, const data::Dataset& train_set) {
    const size_t layers = network.weights.size();
    const bool logistic = network.weights.back().cols == 1;
    model::ZooOptions options;
    options.input_shape = train_set.example_shape;
    options.outputs = logistic ? 2 : static_cast<int64_t>(network.weights.back().cols);
    for (size_t l = 0; l + 1 < layers; ++l) {
        options.hidden.push_back(static_cast<int64_t>(network.weights[l].cols));
    }
    model::Model out;
    out.spec = model::make_model(layers == 1 ? "logistic" : "mlp", options);
    for (size_t l = 0; l < layers; ++l) {
        const bool last = l + 1 == layers;
        const std::string name = last ? "output" : "hidden" + std::to_string(l + 1);
        out.weights[name + ".weight"] = weight_of(network.weights[l], last && logistic);
        out.weights[name + ".bias"] = bias_of(network.biases[l], last && logistic);
    }
    out.card.created_by = "ward mpc";
    out.card.data_name = train_set.name;
    out.card.training_examples = train_set.size();
    out.card.class_names = train_set.class_names;
    out.card.preprocessing_json = train_set.preprocessing_json;
    return out;
}

}  // namespace ward::mpc
