// Example 4: a small convolutional network runs on one encrypted image. Its weights are random
// here; a trained model comes from `ward train` as a .safetensors file and model::load_model.
#include <cmath>
#include <cstdio>
#include <vector>

#include "ward/he/infer/program.h"

using namespace ward::he;
namespace model = ward::model;

int main() {
    ward::Random random = ward::Random::from_system();
    model::Model m;
    m.spec.name = "tiny-cnn";
    m.spec.input_shape = {1, 12, 12};
    m.spec.outputs = 4;
    const model::Activation square{model::Activation::Function::kSquare};
    m.spec.layers = {{"conv", model::Conv2d{3, 3, 2, 1, 1, true}},
                     {"act", square},
                     {"flatten", model::Flatten{}},
                     {"output", model::Linear{4, true, ""}}};
    for (const model::ParameterSpec& p : model::parameters(m.spec)) {
        model::Weight weight{p.shape, {}};
        for (int64_t i = 0; i < model::element_count(p.shape); ++i) {
            weight.values.push_back(static_cast<float>(random.uniform01() - 0.5));
        }
        m.weights.emplace(p.name, weight);
    }

    // The owner of the model plans; the plan says what it will take before anything runs.
    const Network network = lower(m);
    const Plan whole = plan(network, {.input = {0, 1}});
    std::printf("%s", to_text(whole).c_str());

    // The owner of the data makes keys and encrypts.
    const InferenceClient client(client_plan(whole), random);
    const EvaluationKeys keys = client.evaluation_keys(random);
    std::vector<double> image(144);
    for (double& pixel : image) pixel = random.uniform01();
    const auto request = client.encrypt(image, random);

    // The owner of the model computes, and sees neither image nor result.
    const Program program(network, whole, client.context());
    const auto answer = program.run(request, keys);

    // Back at the owner of the data.
    const auto outputs = client.decrypt(answer, 1);
    const auto expected = evaluate(network, image);
    for (size_t i = 0; i < outputs.size(); ++i) {
        std::printf("output %zu: %.6f, in the clear %.6f\n", i, outputs[i], expected[i]);
        if (std::abs(outputs[i] - expected[i]) > answer[0].error_bound()) return 1;
    }
    return 0;
}
