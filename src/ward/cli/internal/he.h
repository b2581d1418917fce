// What the subcommands of `ward he` share.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ward/cli/internal/data_options.h"
#include "ward/cli/internal/recipient_options.h"
#include "ward/he/infer/client.h"
#include "ward/he/infer/network.h"
#include "ward/he/infer/plan.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace ward::cli {

// Which model, made ready how.
struct HeModelOptions {
    std::string model;
    IdentityOptions identities;
    DataOptions data;
    std::string packing = "single";
    int activation_degree = 7;
    int calibration = 1000;  // examples of the training part that show where activations work
    double input_bound = 0;
    int scale_bits = 40;
    int threads = 0;
};

// `data_required`: the command needs examples.
void add_he_model_options(CLI::App& command, HeModelOptions& options, bool data_required);

// A model lowered and planned for.
struct HeModel {
    std::string path;
    model::Model model;
    he::Network network;
    he::Plan plan;
};
HeModel prepare(const HeModelOptions& options);

// Inputs of the part as doubles and labels, checked against the model.
data::Dataset load_part(const HeModelOptions& options, const model::Model& model,
                        const std::string& split);

// The plan as the owner of the data gets it, with how raw data become inputs.
he::ClientPlan sent_plan(const HeModel& model);

// A few examples: of the data when they are given, else random ones in the plan's range.
std::vector<double> sample_examples(const HeModel& model, const HeModelOptions& options);

// Largest of the outputs.
int64_t argmax(std::span<const double> values);

void add_he_plan_command(CLI::App& group);
void add_he_keygen_command(CLI::App& group);
void add_he_encrypt_input_command(CLI::App& group);
void add_he_decrypt_command(CLI::App& group);
void add_he_infer_command(CLI::App& group);
void add_he_encrypt_model_command(CLI::App& group);
void add_he_serve_command(CLI::App& group);
void add_he_query_command(CLI::App& group);

// Examples for a plan, raw data brought into its form; labels are not needed.
data::Dataset load_for(int64_t inputs, const std::string& preprocessing_json,
                       const DataOptions& data, const std::string& split);
// Throws Error kUsage for examples that the set does not have.
void check_range(const data::Dataset& set, int64_t first, int64_t count);
std::vector<double> examples_of(const data::Dataset& set, int64_t first, int64_t count);

// A line for each example: its class, its output where there is one, or JSON.
void print_outputs(const std::vector<std::string>& class_names, int64_t width,
                   std::span<const double> outputs, bool json);

// --circuit-privacy BITS; 0 without it.
CLI::Option* add_circuit_privacy_option(CLI::App& command, int& bits);

// `ward he infer --input FILE --keys FOLDER --out FILE`: the evaluator's part.
void evaluate_request(const HeModel& model, const std::string& input, const std::string& keys,
                      const std::string& out, int circuit_privacy_bits, double output_spread);

// Files of `ward he encrypt-model`.
bool is_encrypted_model(const std::string& path);
void infer_encrypted_model(const HeModelOptions& options, const std::string& split, int64_t count,
                           const std::string& out, int circuit_privacy_bits);
void decrypt_with_model(const std::string& path, const std::string& key, const std::string& result,
                        bool json);

}  // namespace ward::cli
