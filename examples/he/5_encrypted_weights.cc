// Example 5: the weights are encrypted. The owner of a model gives it away without giving it up:
// whoever holds it can compute with it on their own data, but not read it, and needs the owner to
// open results.
#include <cmath>
#include <cstdio>
#include <vector>

#include "ward/he/infer/encrypted_weights.h"

using namespace ward::he;

int main() {
    ward::Random random = ward::Random::from_system();
    // 8 inputs, 6 squares, 2 outputs.
    Network network{"secret model", {8}, 8, 2, {}};
    for (const auto& [rows, columns] : {std::pair{6, 8}, std::pair{2, 6}}) {
        Stage stage;
        stage.matrix.columns = columns;
        for (int i = 0; i < rows; ++i) {
            for (int j = 0; j < columns; ++j) {
                stage.matrix.column.push_back(j);
                stage.matrix.value.push_back(random.uniform01() - 0.5);
            }
            stage.matrix.start.push_back(stage.matrix.entries());
            stage.bias.push_back(random.uniform01() - 0.5);
        }
        stage.matrix.rows = rows;
        stage.has_activation = rows == 6;
        stage.activation.function = "square";
        network.stages.push_back(stage);
    }

    // The owner of the model.
    const WeightPlan plan = plan_encrypted_weights(network, {.input = {-1, 1}});
    const auto context = Context::create(plan.parameters);
    const SecretKey secret = SecretKey::generate(context, random);
    const PublicKey key = PublicKey::generate(secret, random);
    EncryptedNetwork encrypted = encrypt_network(network, plan, key, random);
    EvaluationKeys keys = weight_evaluation_keys(secret, plan, random);

    // The owner of the data.
    const EncryptedWeightsProgram program(plan, std::move(encrypted), std::move(keys));
    std::vector<double> x(8);
    for (double& v : x) v = 2 * random.uniform01() - 1;
    const Ciphertext y = program.run(x);

    // The owner of the model opens the result; scores that go back to the owner of the data are
    // flooded first, since exact ones could show the key.
    const CkksEncoder encoder(context);
    const auto outputs = outputs_of(plan, encoder.decode(decrypt_for_owner(secret, y)));
    const auto expected = evaluate(network, x);
    for (size_t i = 0; i < outputs.size(); ++i) {
        std::printf("output %zu: %.6f, in the clear %.6f\n", i, outputs[i], expected[i]);
        if (std::abs(outputs[i] - expected[i]) > 1e-3) return 1;
    }
    return 0;
}
