#include "ward/he/testing/small_models.h"

#include <cmath>

namespace ward::he::testonly {

model::Model random_model(const std::string& name, const model::Shape& input, int64_t outputs,
                          std::vector<model::LayerSpec> layers, Random& random) {
    model::Model m;
    m.spec.name = name;
    m.spec.input_shape = input;
    m.spec.outputs = outputs;
    m.spec.layers = std::move(layers);
    model::validate(m.spec);
    for (const model::ParameterSpec& p : model::parameters(m.spec)) {
        model::Weight weight{p.shape, {}};
        const double size = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(p.fan_in, 1)));
        for (int64_t i = 0; i < model::element_count(p.shape); ++i) {
            weight.values.push_back(static_cast<float>(size * (2 * random.uniform01() - 1)));
        }
        m.weights.emplace(p.name, std::move(weight));
    }
    return m;
}

std::vector<double> random_example(const model::Model& model, Random& random) {
    std::vector<double> x;
    for (int64_t i = 0; i < model::element_count(model.spec.input_shape); ++i) {
        x.push_back(2 * random.uniform01() - 1);
    }
    return x;
}

}  // namespace ward::he::testonly
