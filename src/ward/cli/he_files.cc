// `ward he keygen`, `encrypt-input` and `decrypt`, and the evaluator's part of `ward he infer`: two
// sides that exchange files.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "ward/cli/internal/he.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/key_file.h"
#include "ward/he/circuit_privacy.h"
#include "ward/he/infer/files.h"
#include "ward/he/infer/precision.h"
#include "ward/he/infer/program.h"
#include "ward/he/wire.h"

namespace ward::cli {
namespace {

constexpr const char* kSecretName = "secret.key";
constexpr const char* kRelinName = "relin.key";
constexpr const char* kRotationsName = "rotations.key";
constexpr const char* kPublicName = "public.key";

std::string in_folder(const std::string& folder, const char* name) {
    return (std::filesystem::path(folder) / name).string();
}

he::ClientPlan read_plan(const std::string& path) {
    return he::client_plan_from_bytes(read_file(path));
}

// The owner of the data with a key made before.
he::InferenceClient open_client(const std::string& plan_path, const std::string& key_path) {
    he::ClientPlan plan = read_plan(plan_path);
    const auto context = he::Context::create(plan.parameters);
    const MappedFile key(key_path);
    return {std::move(plan), he::secret_key_from_bytes(context, key.bytes())};
}

struct KeygenOptions {
    std::string plan, out;
};

void run_keygen(const KeygenOptions& options) {
    Random random = Random::from_system();
    const he::InferenceClient client(read_plan(options.plan), random);
    std::error_code error;
    std::filesystem::create_directories(options.out, error);
    if (error) {
        throw Error(ErrorCode::kIo, "cannot create " + options.out + ": " + error.message());
    }
    crypto::write_secret_file(in_folder(options.out, kSecretName),
                              he::to_secret_bytes(client.secret()).reveal());
    const he::EvaluationKeys keys = client.evaluation_keys(random);
    write_file_atomically(in_folder(options.out, kRelinName), ByteView(he::to_bytes(keys.relin)));
    write_file_atomically(in_folder(options.out, kRotationsName),
                          ByteView(he::to_bytes(keys.galois)));
    write_file_atomically(in_folder(options.out, kPublicName),
                          ByteView(he::to_bytes(keys.public_key)));
    std::cout
        << "secret.key stays here; relin.key, rotations.key and public.key go to the evaluator\n";
}

struct EncryptOptions {
    std::string plan, key, out;
    DataOptions data;
    std::string split = "test";
    int64_t first = 0, count = 1;
};

void run_encrypt(const EncryptOptions& options) {
    check_outputs({{"PLAN", options.plan}, {"--key", options.key}, {"--data", options.data.data}},
                  {{"--out", options.out}});
    const he::InferenceClient client = open_client(options.plan, options.key);
    const data::Dataset set = load_for(client.plan().inputs, client.plan().preprocessing_json,
                                       options.data, options.split);
    check_range(set, options.first, options.count);
    if (options.count > client.plan().examples) {
        throw Error(ErrorCode::kUsage,
                    "a request of this plan holds " + std::to_string(client.plan().examples) +
                        " examples, got --count " + std::to_string(options.count),
                    client.plan().examples == 1
                        ? "encrypt them one by one (--first), or plan with --packing batch"
                        : "encrypt the others by --first into other files");
    }
    Random random = Random::from_system();
    const he::CiphertextList list{
        he::digest(client.plan()), options.count,
        client.encrypt(examples_of(set, options.first, options.count), random)};
    write_file_atomically(options.out, ByteView(he::to_bytes(list)));
}

struct DecryptOptions {
    std::string plan, key, in;
    bool json = false;
};

void run_decrypt(const DecryptOptions& options) {
    if (is_encrypted_model(options.plan)) {
        decrypt_with_model(options.plan, options.key, options.in, options.json);
        return;
    }
    const he::InferenceClient client = open_client(options.plan, options.key);
    const MappedFile file(options.in);
    const auto list =
        he::ciphertext_list_from_bytes(client.context(), he::digest(client.plan()), file.bytes());
    const auto outputs = client.decrypt(list.ciphertexts, list.examples);
    print_outputs(client.plan().class_names, client.plan().outputs, outputs, options.json);
}

}  // namespace

data::Dataset load_for(int64_t inputs, const std::string& preprocessing_json,
                       const DataOptions& data, const std::string& split) {
    data::LoadRequest request = to_request(data, split);
    request.preprocessing_json = preprocessing_json;
    request.labels_required = false;
    data::LoadedData loaded = data::load_dataset(request);
    log_notes(loaded);
    if (loaded.dataset.example_size() != inputs) {
        throw Error(ErrorCode::kInvalid,
                    "the model takes examples of " + std::to_string(inputs) + " inputs, " +
                        data.data + " has " + std::to_string(loaded.dataset.example_size()),
                    "give data like those it was trained on");
    }
    return std::move(loaded.dataset);
}

void check_range(const data::Dataset& set, int64_t first, int64_t count) {
    if (first >= 0 && count >= 1 && count <= set.size() && first <= set.size() - count) return;
    throw Error(ErrorCode::kUsage, "--first and --count must stay within the " +
                                       std::to_string(set.size()) + " examples");
}

std::vector<double> examples_of(const data::Dataset& set, int64_t first, int64_t count) {
    const auto begin = set.inputs.begin() + static_cast<ptrdiff_t>(first * set.example_size());
    return {begin, begin + static_cast<ptrdiff_t>(count * set.example_size())};
}

void print_outputs(const std::vector<std::string>& class_names, int64_t outputs_each,
                   std::span<const double> outputs, bool json) {
    const auto width = static_cast<size_t>(outputs_each);
    for (size_t i = 0; i < outputs.size(); i += width) {
        const auto scores = outputs.subspan(i, width);
        const auto largest = static_cast<size_t>(argmax(scores));
        const std::string name =
            class_names.empty() ? std::to_string(largest) : class_names[largest];
        if (json) {
            nlohmann::ordered_json line;
            if (width > 1) line["prediction"] = name;
            line["outputs"] = std::vector<double>(scores.begin(), scores.end());
            std::cout << line.dump() << "\n";
        } else if (width == 1) {
            std::printf("%.6g\n", scores[0]);
        } else {
            std::cout << name << "\n";
        }
    }
}

void evaluate_request(const HeModel& model, const std::string& input, const std::string& keys,
                      const std::string& out, int circuit_privacy_bits, double output_spread) {
    check_outputs({{"--input", input},
                   {"--keys", in_folder(keys, kSecretName)},
                   {"--keys", in_folder(keys, kRelinName)},
                   {"--keys", in_folder(keys, kRotationsName)},
                   {"--keys", in_folder(keys, kPublicName)},
                   {"MODEL", model.path}},
                  {{"--out", out}});
    const he::ClientPlan plan = sent_plan(model);
    const auto context = he::Context::create(plan.parameters);
    const he::Program program(model.network, model.plan, context);
    const MappedFile relin(in_folder(keys, kRelinName));
    const MappedFile rotations(in_folder(keys, kRotationsName));
    const MappedFile public_key(in_folder(keys, kPublicName));
    const he::EvaluationKeys evaluation{he::relin_key_from_bytes(context, relin.bytes()),
                                        he::galois_keys_from_bytes(context, rotations.bytes()),
                                        he::public_key_from_bytes(context, public_key.bytes())};
    const MappedFile request(input);
    he::CiphertextList list =
        he::ciphertext_list_from_bytes(context, he::digest(plan), request.bytes());
    list.ciphertexts = program.run(list.ciphertexts, evaluation);
    if (circuit_privacy_bits > 0) {
        Random random = Random::from_system();
        for (he::Ciphertext& c : list.ciphertexts) {
            c = he::hide_computation(evaluation.public_key, c, random,
                                     {.bits = circuit_privacy_bits});
            he::require_readable(c, output_spread);
        }
    }
    write_file_atomically(out, ByteView(he::to_bytes(list)));
}

void add_he_keygen_command(CLI::App& group) {
    auto* command = group.add_subcommand("keygen", "Keys of the owner of the data, for a plan");
    auto options = std::make_shared<KeygenOptions>();
    command->add_option("PLAN", options->plan, "Plan from `ward he plan --out`")->required();
    command->add_option("--out", options->out, "Folder for the keys; made if missing")->required();
    command->footer(
        "secret.key (mode 0600) decrypts everything and is not encrypted itself: `ward encrypt`\n"
        "puts it into an envelope. The three others let an evaluator compute, and are public.\n"
        "Examples:\n  ward he keygen m.plan --out keys\n  ward he keygen m.plan --out "
        "/media/k/keys");
    command->callback([options] { run_keygen(*options); });
}

void add_he_encrypt_input_command(CLI::App& group) {
    auto* command = group.add_subcommand("encrypt-input", "Encrypt examples for an evaluator");
    auto options = std::make_shared<EncryptOptions>();
    command->add_option("PLAN", options->plan, "Plan from `ward he plan --out`")->required();
    command->add_option("--key", options->key, "secret.key from `ward he keygen`")->required();
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    command->add_option("--split", options->split, "Part of the data: test, train or all")
        ->capture_default_str();
    command->add_option("--first", options->first, "First example")->capture_default_str();
    command->add_option("--count", options->count, "Examples; one with single packing")
        ->capture_default_str();
    command->add_option("--out", options->out, "File for the evaluator")->required();
    command->footer(
        "Examples:\n  ward he encrypt-input m.plan --key keys/secret.key --data mnist/ --out r.ct\n"
        "  ward he encrypt-input m.plan --key keys/secret.key --data rows.csv --count 500 --out "
        "r.ct");
    command->callback([options] { run_encrypt(*options); });
}

void add_he_decrypt_command(CLI::App& group) {
    auto* command = group.add_subcommand("decrypt", "Decrypt an evaluator's result");
    auto options = std::make_shared<DecryptOptions>();
    command
        ->add_option("PLAN", options->plan,
                     "Plan from `ward he plan --out`, or m.enc from `ward he encrypt-model`")
        ->required();
    command->add_option("--key", options->key, "Secret key that belongs to it")->required();
    command->add_option("--in", options->in, "Result from `ward he infer --out`")->required();
    command->add_flag("--json", options->json, "One JSON object per example, with all outputs");
    command->footer(
        "Prints the class of the largest output, or the output where there is one.\n"
        "Outputs are exact decryptions: they can show the key to others. Keep them, or pass on\n"
        "only the class.\n"
        "Examples:\n  ward he decrypt m.plan --key keys/secret.key --in result.ct\n"
        "  ward he decrypt m.plan --key keys/secret.key --in result.ct --json");
    command->callback([options] { run_decrypt(*options); });
}

}  // namespace ward::cli
