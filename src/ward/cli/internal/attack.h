// `ward attack`: one subcommand per kind of attack, one file each.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ward/attack/target.h"
#include "ward/cli/internal/attack_remote.h"
#include "ward/cli/internal/model_options.h"
#include "ward/data/load.h"
#include "ward/nn/network.h"
#include "ward/nn/script_module.h"

namespace ward::cli {

void add_attack_evasion_command(CLI::App& attack);
void add_attack_patch_command(CLI::App& attack);
void add_attack_membership_command(CLI::App& attack);
void add_attack_exposure_command(CLI::App& attack);
void add_attack_attribute_command(CLI::App& attack);
void add_attack_poison_command(CLI::App& attack);
void add_attack_gradient_inversion_command(CLI::App& attack);
void add_attack_extraction_command(CLI::App& attack);
void add_attack_inversion_command(CLI::App& attack);
void add_attack_serve_target_command(CLI::App& attack);

// A model under attack and the examples to attack it with, in the attacker's space: images and
// arrays as they are before standardisation (pixels in [0, 1]), which then is part of the target;
// tables as the model's inputs.
struct AttackTargetOptions {
    std::string model;
    IdentityOptions identities;
    DataOptions data;
    RuntimeOptions runtime;
    RemoteTargetOptions remote;  // instead of a model file
    std::string split = "test";
    std::string access;             // empty: white-box, and scores of a model behind HTTP
    int64_t count = 1000;           // the first so many examples; 0: all
    std::vector<double> mean, std;  // TorchScript: what it wants its inputs standardised by
    // How data are encoded for what is no Ward model; empty: as the loader does.
    std::string preprocessing_json;
    bool moves_inputs = true;  // false: tokens are welcome, and no box is wanted
};

// The target and the data, without --split and --count.
void add_attack_model_options(CLI::App& command, AttackTargetOptions& options);
void add_attack_target_options(CLI::App& command, AttackTargetOptions& options);

struct AttackTarget {
    std::optional<model::Model> origin;           // of a Ward model: spec and card, no weights
    std::unique_ptr<nn::Network> network;         // one of
    std::unique_ptr<nn::ScriptModule> script;     // these
    std::shared_ptr<attack::RemoteModel> remote;  // three
    std::unique_ptr<attack::Target> target;
    at::Tensor x, y;              // {n, ...} float32, {n} int64
    double lower = 0, upper = 1;  // the box of valid inputs
    std::string data_name;
    int64_t classes = 0;            // of the data
    std::vector<double> mean, std;  // how inputs were standardised before this undid it
    data::Dataset part;             // as it was read: names, preprocessing, labels
};

// Sets threads and progress, too. Throws Error kInvalid when the data do not fit the model or have
// no labels.
AttackTarget load_attack_target(const AttackTargetOptions& options);

// Inputs of a data set in the attacker's space.
at::Tensor attacker_inputs(const data::Dataset& data);

// More inputs for the same target, in the attacker's space. Throws Error kInvalid where their shape
// is another.
struct AttackInputs {
    at::Tensor x, y;  // y undefined without labels
};
AttackInputs load_attack_inputs(const AttackTargetOptions& options, const AttackTarget& target,
                                const std::string& data, const std::string& split);

// From the attacker's space to standardised inputs.
at::Tensor standardised(const at::Tensor& x, const std::vector<double>& mean,
                        const std::vector<double>& std);

}  // namespace ward::cli
