// `ward he infer` and `ward he plan`.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "ward/cli/internal/he.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/parallel.h"
#include "ward/core/progress.h"
#include "ward/he/circuit_privacy.h"
#include "ward/he/infer/encrypted_weights.h"
#include "ward/he/infer/files.h"
#include "ward/he/infer/precision.h"
#include "ward/he/infer/program.h"
#include "ward/he/wire.h"

namespace ward::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    HeModelOptions model;
    std::string input, keys, out;
    int64_t count = 1;
    std::string split = "test";
    bool json = false;
    bool encrypted_weights = false, encrypted_input = false;
    int circuit_privacy_bits = 0;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <typename F>
auto timed(double& seconds, F&& action) {
    const auto start = std::chrono::steady_clock::now();
    auto result = action();
    seconds += seconds_since(start);
    return result;
}

// What one run of the command has found.
struct Outcome {
    int64_t examples = 0, labelled = 0, correct = 0, plain_correct = 0, agreed = 0;
    double evaluate_seconds = 0, encrypt_seconds = 0, decrypt_seconds = 0;
    double key_seconds = 0, compile_seconds = 0, largest_error = 0;
    size_t bytes_up = 0, bytes_down = 0, key_bytes = 0, model_bytes = 0, runs = 0;
};

size_t wire_bytes(const std::vector<he::Ciphertext>& ciphertexts) {
    size_t bytes = 0;
    for (const he::Ciphertext& c : ciphertexts) bytes += he::to_bytes(c).size();
    return bytes;
}

void compare(const he::Network& network, std::span<const double> inputs,
             std::span<const double> outputs, std::span<const int64_t> labels, bool classes,
             Outcome& outcome) {
    const auto size = static_cast<size_t>(network.inputs);
    const auto width = static_cast<size_t>(network.outputs);
    for (size_t i = 0; i < inputs.size() / size; ++i) {
        const auto plain = he::evaluate(network, inputs.subspan(i * size, size));
        const auto got = outputs.subspan(i * width, width);
        for (size_t k = 0; k < width; ++k) {
            outcome.largest_error = std::max(outcome.largest_error, std::abs(plain[k] - got[k]));
        }
        ++outcome.examples;
        if (!classes) continue;
        outcome.agreed += argmax(got) == argmax(plain);
        if (labels.empty()) continue;
        ++outcome.labelled;
        outcome.correct += argmax(got) == labels[i];
        outcome.plain_correct += argmax(plain) == labels[i];
    }
}

// A process that takes more memory than there is would be killed without a word.
void require_memory(int64_t needed_bytes) {
    std::ifstream file("/proc/meminfo");
    int64_t available_kib = 0;
    for (std::string name; file >> name; file.ignore(256, '\n')) {
        if (name == "MemAvailable:" && file >> available_kib) break;
    }
    const double needed = static_cast<double>(needed_bytes) / 1e9,
                 available = static_cast<double>(available_kib) * 1024 / 1e9;
    if (available_kib == 0 || needed <= available) return;
    char message[96];
    std::snprintf(message, sizeof message,
                  "the plan takes about %.1f GB of memory, %.1f GB are free", needed, available);
    throw Error(ErrorCode::kRefused, message,
                "choose a smaller --activation-degree or network; see `ward he plan`");
}

Outcome infer(const HeModel& model, const data::Dataset& data, int64_t count,
              int circuit_privacy_bits, double spread) {
    require_memory(model.plan.memory_bytes);
    Outcome out;
    Random random = Random::from_system();
    const he::InferenceClient client(he::client_plan(model.plan), random);
    const he::EvaluationKeys keys =
        timed(out.key_seconds, [&] { return client.evaluation_keys(random); });
    const he::Program program = timed(out.compile_seconds, [&] {
        return he::Program(model.network, model.plan, client.context());
    });
    out.key_bytes = he::to_bytes(keys.relin).size() + he::to_bytes(keys.galois).size();
    Progress progress("encrypted inference", count, "examples");
    const auto size = static_cast<size_t>(data.example_size());
    for (int64_t first = 0; first < count; first += model.plan.examples) {
        const int64_t now = std::min(model.plan.examples, count - first);
        const auto begin =
            data.inputs.begin() + static_cast<ptrdiff_t>(first * data.example_size());
        const std::vector<double> x(begin, begin + static_cast<ptrdiff_t>(now) * size);
        const auto up = timed(out.encrypt_seconds, [&] { return client.encrypt(x, random); });
        const auto down = timed(out.evaluate_seconds, [&] {
            std::vector<he::Ciphertext> results = program.run(up, keys);
            for (he::Ciphertext& c : results) {
                if (circuit_privacy_bits == 0) break;
                c = he::hide_computation(keys.public_key, c, random,
                                         {.bits = circuit_privacy_bits});
                he::require_readable(c, spread);
            }
            return results;
        });
        const auto y = timed(out.decrypt_seconds, [&] { return client.decrypt(down, now); });
        if (out.runs++ == 0) {
            out.bytes_up = wire_bytes(up);
            out.bytes_down = wire_bytes(down);
        }
        const auto labels = data.labels.empty() ? std::span<const int64_t>{}
                                                : std::span<const int64_t>(data.labels)
                                                      .subspan(static_cast<size_t>(first),
                                                               static_cast<size_t>(now));
        compare(model.network, x, y, labels, model.model.spec.task == model::Task::kClassification,
                out);
        progress.update(first + now);
    }
    progress.finish();
    return out;
}

// The same with encrypted weights: the owner of the model holds the key, the owner of the data
// evaluates; or, with encrypted inputs as well, a third party evaluates.
Outcome infer_encrypted_weights(const HeModel& model, const he::WeightPlan& plan,
                                const data::Dataset& data, int64_t count, bool encrypted_input) {
    Outcome out;
    Random random = Random::from_system();
    const auto context = he::Context::create(plan.parameters);
    const he::CkksEncoder encoder(context);
    const he::SecretKey secret = he::SecretKey::generate(context, random);
    const he::PublicKey key = he::PublicKey::generate(secret, random);
    auto keys =
        timed(out.key_seconds, [&] { return he::weight_evaluation_keys(secret, plan, random); });
    out.key_bytes = he::to_bytes(keys.relin).size() + he::to_bytes(keys.galois).size();
    auto network = timed(out.compile_seconds,
                         [&] { return he::encrypt_network(model.network, plan, key, random); });
    for (const he::EncryptedStage& stage : network.stages) {
        out.model_bytes += wire_bytes(stage.weights) + he::to_bytes(stage.bias).size();
    }
    const he::EncryptedWeightsProgram program(plan, std::move(network), std::move(keys));
    Progress progress("inference with encrypted weights", count, "examples");
    const auto size = static_cast<ptrdiff_t>(data.example_size());
    for (int64_t i = 0; i < count; ++i) {
        const auto begin = data.inputs.begin() + static_cast<ptrdiff_t>(i) * size;
        const std::vector<double> x(begin, begin + size);
        std::vector<he::Ciphertext> up;
        if (encrypted_input) {
            up =
                timed(out.encrypt_seconds, [&] { return he::encrypt_input(plan, x, key, random); });
        }
        const he::Ciphertext y = timed(out.evaluate_seconds, [&] {
            return encrypted_input ? program.run(std::span<const he::Ciphertext>(up))
                                   : program.run(std::span<const double>(x));
        });
        const auto scores = timed(out.decrypt_seconds, [&] {
            return he::outputs_of(plan, encoder.decode(he::decrypt_for_owner(secret, y)));
        });
        if (out.runs++ == 0) {
            out.bytes_up = wire_bytes(up);
            out.bytes_down = he::to_bytes(y).size();
        }
        const auto labels =
            data.labels.empty()
                ? std::span<const int64_t>{}
                : std::span<const int64_t>(data.labels).subspan(static_cast<size_t>(i), 1);
        compare(model.network, x, scores, labels,
                model.model.spec.task == model::Task::kClassification, out);
        progress.update(i + 1);
    }
    progress.finish();
    return out;
}

Json to_json(const HeModel& model, const Outcome& o) {
    const auto runs = static_cast<double>(o.runs);
    Json out = {{"seconds", o.evaluate_seconds / runs}};
    out["accuracy"] = o.labelled > 0
                          ? Json(static_cast<double>(o.correct) / static_cast<double>(o.labelled))
                          : Json(nullptr);
    out["examples"] = o.examples;
    out["precision_bits"] = -std::log2(std::max(o.largest_error, 0x1p-60));
    out["bytes_up"] = o.bytes_up;
    out["bytes_down"] = o.bytes_down;
    out["key_bytes"] = o.key_bytes;
    out["packing"] = model.plan.packing == he::Packing::kSingle ? "single" : "batch";
    out["encrypted"] = "input";
    out["examples_at_once"] = model.plan.examples;
    out["threads"] = num_threads();
    out["plain_accuracy"] =
        o.labelled > 0
            ? Json(static_cast<double>(o.plain_correct) / static_cast<double>(o.labelled))
            : Json(nullptr);
    out["same_prediction"] = static_cast<double>(o.agreed) / static_cast<double>(o.examples);
    out["encrypt_seconds"] = o.encrypt_seconds / runs;
    out["decrypt_seconds"] = o.decrypt_seconds / runs;
    out["key_seconds"] = o.key_seconds;
    out["compile_seconds"] = o.compile_seconds;
    out["bounds_proven"] = model.plan.bounds_proven;
    return out;
}

void print(const Json& found) {
    const auto number = [&](const char* name) { return found[name].get<double>(); };
    std::printf("evaluation    %.3f s for %ld example%s at once, %d threads\n", number("seconds"),
                found["examples_at_once"].get<long>(),
                found["examples_at_once"].get<long>() == 1 ? "" : "s", found["threads"].get<int>());
    std::printf("key's owner   %.3f s to encrypt, %.3f s to decrypt, %.2f s once for keys\n",
                number("encrypt_seconds"), number("decrypt_seconds"), number("key_seconds"));
    if (!found["accuracy"].is_null()) {
        std::printf("accuracy      %.2f %% of %ld; the same network without encryption %.2f %%\n",
                    100 * number("accuracy"), found["examples"].get<long>(),
                    100 * number("plain_accuracy"));
    }
    std::printf("agreement     %.2f %% of predictions, outputs to %.1f bits\n",
                100 * number("same_prediction"), number("precision_bits"));
    std::printf("sent          %.2f MB up, %.2f MB down, keys %.1f MB once\n",
                number("bytes_up") / 1e6, number("bytes_down") / 1e6, number("key_bytes") / 1e6);
}

void run_infer(const Options& options) {
    const bool encrypted_model = is_encrypted_model(options.model.model);
    if (options.out.empty() == (encrypted_model || !options.input.empty())) {
        throw Error(ErrorCode::kUsage, options.out.empty()
                                           ? "--out is required: the result is encrypted"
                                           : "--out goes with --input, or with a model of "
                                             "`ward he encrypt-model`");
    }
    if (encrypted_model) {
        infer_encrypted_model(options.model, options.split, options.count, options.out,
                              options.circuit_privacy_bits);
        return;
    }
    const HeModel model = prepare(options.model);
    if (!options.input.empty()) {
        evaluate_request(model, options.input, options.keys, options.out,
                         options.circuit_privacy_bits,
                         he::output_spread(model.network, sample_examples(model, options.model)));
        return;
    }
    if (options.model.data.data.empty()) {
        throw Error(ErrorCode::kUsage, "--data is required, or --input with --keys and --out");
    }
    const data::Dataset data = load_part(options.model, model.model, options.split);
    if (options.count < 1 || options.count > data.size()) {
        throw Error(ErrorCode::kUsage, "--count must be 1.." + std::to_string(data.size()) +
                                           ", got " + std::to_string(options.count));
    }
    Json found;
    if (options.encrypted_weights) {
        const auto plan = he::plan_encrypted_weights(
            model.network, {.input = model.plan.input, .scale_bits = options.model.scale_bits});
        const Outcome outcome =
            infer_encrypted_weights(model, plan, data, options.count, options.encrypted_input);
        found = to_json(model, outcome);
        found["encrypted"] = options.encrypted_input ? "input and weights" : "weights";
        found["model_bytes"] = outcome.model_bytes;
    } else {
        found = to_json(
            model, infer(model, data, options.count, options.circuit_privacy_bits,
                         he::output_spread(model.network, sample_examples(model, options.model))));
    }
    if (options.json) {
        std::cout << found.dump() << "\n";
    } else {
        print(found);
    }
}

void print_precision(const HeModel& model, const HeModelOptions& options) {
    const std::vector<double> examples = sample_examples(model, options);
    const double error = he::simulated_error(model.network, model.plan, examples);
    std::printf("precision     outputs to about %.0f bits, simulated with %s examples\n",
                -std::log2(std::max(error, 0x1p-60)),
                options.data.data.empty() ? "random" : "test");
}

// What the polynomials in place of activations cost, measured without encryption.
void run_plan(const HeModelOptions& options, const std::string& out) {
    check_outputs({{"MODEL", options.model}, {"--data", options.data.data}}, {{"--out", out}});
    const HeModel model = prepare(options);
    if (!out.empty()) write_file_atomically(out, ByteView(he::to_bytes(sent_plan(model))));
    std::cout << he::to_text(model.plan);
    print_precision(model, options);
    const bool classes = model.model.spec.task == model::Task::kClassification;
    if (options.data.data.empty() || !classes) return;
    const data::Dataset test = load_part(options, model.model, "test");
    if (test.labels.empty()) return;
    std::atomic<int64_t> correct = 0;
    parallel_for(0, test.size(), 16, [&](int64_t first, int64_t last) {
        const auto size = test.example_size();
        for (int64_t i = first; i < last; ++i) {
            const auto begin = test.inputs.begin() + static_cast<ptrdiff_t>(i * size);
            const std::vector<double> x(begin, begin + static_cast<ptrdiff_t>(size));
            correct += argmax(he::evaluate(model.network, x)) == test.labels[i];
        }
    });
    std::printf("accuracy      %.2f %% of %ld test examples, computed without encryption\n",
                100 * static_cast<double>(correct) / static_cast<double>(test.size()),
                static_cast<long>(test.size()));
}

}  // namespace

void add_he_infer_command(CLI::App& group) {
    auto* command = group.add_subcommand(
        "infer", "Run a model on encrypted examples, all sides on this machine, and measure it");
    auto options = std::make_shared<Options>();
    add_he_model_options(*command, options->model, false);
    command->add_option("--count", options->count, "Examples")->capture_default_str();
    command->add_option("--split", options->split, "Part of the data: test, train or all")
        ->capture_default_str();
    auto* private_circuit = add_circuit_privacy_option(*command, options->circuit_privacy_bits);
    auto* weights = command->add_flag("--encrypted-weights", options->encrypted_weights,
                                      "The weights are encrypted, and the input is not");
    weights->excludes(private_circuit);
    command
        ->add_flag("--encrypted-input", options->encrypted_input,
                   "With --encrypted-weights: the input too")
        ->needs(weights);
    auto* input = command->add_option("--input", options->input,
                                      "Evaluate this request of another side instead");
    auto* keys = command->add_option("--keys", options->keys,
                                     "Folder with the evaluation keys it came with");
    command->add_option("--out", options->out,
                        "Where an encrypted result goes: of --input, or of an encrypted model");
    input->needs(keys);
    keys->needs(input);
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "Times and bytes are of one request: one example (single) or one batch.\n"
        "Who knows what: the owner of the data holds the secret key; the owner of the model sees\n"
        "ciphertexts and evaluation keys and is trusted to compute what it should (semi-honest).\n"
        "Results are decrypted for the key's owner alone. With --encrypted-weights the owner of\n"
        "the model holds the key and the owner of the data computes; with both encrypted a third\n"
        "party computes that must not collude with the holder of the key.\n"
        "Examples:\n  ward he infer --model m.safetensors --data mnist/ --count 100 --json\n"
        "  ward he infer m.safetensors --data mnist/ --count 8192 --packing batch\n"
        "  ward he infer m.safetensors --input request.ct --keys keys/ --out result.ct\n"
        "  ward he infer m.enc --data rows.csv --count 10 --out result.ct");
    command->callback([options] { run_infer(*options); });
}

void add_he_plan_command(CLI::App& group) {
    auto* command = group.add_subcommand("plan", "What an encrypted inference will take, in words");
    auto options = std::make_shared<HeModelOptions>();
    auto out = std::make_shared<std::string>();
    add_he_model_options(*command, *options, false);
    command->add_option("--out", *out, "Also write it here, for the owner of the data");
    command->footer(
        "With --data also the accuracy of the network with polynomials for activations.\n"
        "Examples:\n  ward he plan m.safetensors\n"
        "  ward he plan m.safetensors --packing batch");
    command->callback([options, out] { run_plan(*options, *out); });
}

}  // namespace ward::cli
