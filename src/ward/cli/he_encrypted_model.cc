// `ward he encrypt-model`, and the parts of `infer` and `decrypt` for such a model: the weights are
// encrypted, the evaluator's input is not.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>

#include "ward/cli/internal/he.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"
#include "ward/core/progress.h"
#include "ward/crypto/key_file.h"
#include "ward/he/circuit_privacy.h"
#include "ward/he/infer/encrypted_model.h"
#include "ward/he/infer/files.h"
#include "ward/he/infer/precision.h"
#include "ward/he/wire.h"

namespace ward::cli {
namespace {

struct EncryptModelOptions {
    HeModelOptions model;
    std::string key, out;
};

void run_encrypt_model(const EncryptModelOptions& options) {
    check_outputs({{"MODEL", options.model.model}, {"--data", options.model.data.data}},
                  {{"--key", options.key}, {"--out", options.out}});
    const HeModel model = prepare(options.model);
    he::EncryptedModel::Description description;
    description.plan = he::plan_encrypted_weights(
        model.network, {.input = model.plan.input, .scale_bits = options.model.scale_bits});
    const he::ClientPlan sent = sent_plan(model);
    description.preprocessing_json = sent.preprocessing_json;
    description.class_names = sent.class_names;
    Random random = Random::from_system();
    const auto context = he::Context::create(description.plan.parameters);
    const he::SecretKey secret = he::SecretKey::generate(context, random);
    const he::EncryptedModel encrypted =
        he::encrypt_model(model.network, std::move(description), secret, random);
    crypto::write_secret_file(options.key, he::to_secret_bytes(secret).reveal());
    write_file_atomically(options.out, ByteView(he::to_bytes(encrypted)));
    std::cout << options.key << " stays here; " << options.out << " goes to the evaluator\n";
}

he::EncryptedModel read_encrypted_model(const std::string& path) {
    const MappedFile file(path);
    return he::encrypted_model_from_bytes(file.bytes());
}

}  // namespace

bool is_encrypted_model(const std::string& path) {
    constexpr std::string_view kMagic = "ward-he1\x09";
    const MappedFile file(path);
    return file.bytes().size() >= kMagic.size() &&
           std::equal(kMagic.begin(), kMagic.end(), file.bytes().begin());
}

void infer_encrypted_model(const HeModelOptions& options, const std::string& split, int64_t count,
                           const std::string& out, int circuit_privacy_bits) {
    check_outputs({{"MODEL", options.model}, {"--data", options.data.data}}, {{"--out", out}});
    he::EncryptedModel model = read_encrypted_model(options.model);
    const data::Dataset set = load_for(model.description.plan.inputs(),
                                       model.description.preprocessing_json, options.data, split);
    check_range(set, 0, count);
    const he::PublicKey key = model.keys.public_key;
    he::CiphertextList list{he::digest(model.description), count, {}};
    const he::EncryptedWeightsProgram program(std::move(model.description.plan),
                                              std::move(model.network), std::move(model.keys));
    Random random = Random::from_system();
    Progress progress("inference with encrypted weights", count, "examples");
    for (int64_t i = 0; i < count; ++i) {
        he::Ciphertext y = program.run(std::span<const double>(examples_of(set, i, 1)));
        if (circuit_privacy_bits > 0) {
            y = he::hide_computation(key, y, random, {.bits = circuit_privacy_bits});
        }
        list.ciphertexts.push_back(std::move(y));
        progress.update(i + 1);
    }
    progress.finish();
    write_file_atomically(out, ByteView(he::to_bytes(list)));
}

void decrypt_with_model(const std::string& path, const std::string& key_path,
                        const std::string& result, bool json) {
    const he::EncryptedModel model = read_encrypted_model(path);
    const auto context = he::Context::create(model.description.plan.parameters);
    const MappedFile key(key_path), file(result);
    const he::SecretKey secret = he::secret_key_from_bytes(context, key.bytes());
    const auto list =
        he::ciphertext_list_from_bytes(context, he::digest(model.description), file.bytes());
    const he::CkksEncoder encoder(context);
    bool warned = false;
    for (const he::Ciphertext& c : list.ciphertexts) {
        const auto slots = encoder.decode(he::decrypt_for_owner(secret, c));
        const auto outputs = he::outputs_of(model.description.plan, slots);
        print_outputs(model.description.class_names, model.description.plan.outputs(), outputs,
                      json);
        const auto [low, high] = std::minmax_element(outputs.begin(), outputs.end());
        const double size = outputs.size() == 1 ? std::abs(*high) : *high - *low;
        if (!warned && he::noise_deviation(c) > size / 4) {
            log_warning(
                "these results may be little but noise: the evaluator has covered them by "
                "more (--circuit-privacy) than the precision of the model allows");
            warned = true;
        }
    }
}

void add_he_encrypt_model_command(CLI::App& group) {
    auto* command = group.add_subcommand(
        "encrypt-model", "Encrypt a model's weights for someone who evaluates it on own data");
    auto options = std::make_shared<EncryptModelOptions>();
    add_he_model_options(*command, options->model, false);
    command->add_option("--key", options->key, "File for the secret key (mode 0600)")->required();
    command->add_option("--out", options->out, "File for the evaluator")->required();
    command->footer(
        "The evaluator learns the shapes of the layers, and powers of two that bound weights and\n"
        "values; whoever has the key reads the weights and the results. Fully connected networks.\n"
        "Examples:\n  ward he encrypt-model m.safetensors --key model.key --out m.enc    # owner\n"
        "  ward he infer m.enc --data rows.csv --count 10 --out result.ct --circuit-privacy 8\n"
        "  ward he decrypt m.enc --key model.key --in result.ct                   # owner");
    command->callback([options] { run_encrypt_model(*options); });
}

}  // namespace ward::cli
