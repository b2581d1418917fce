// What the subcommands of `ward he` share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ward/cli/internal/data_options.h"
#include "ward/cli/internal/recipient_options.h"
#include "ward/he/infer/network.h"
#include "ward/he/infer/plan.h"

namespace CLI {
class App;
}

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
    model::Model model;
    he::Network network;
    he::Plan plan;
};
HeModel prepare(const HeModelOptions& options);

// Inputs of the part as doubles and labels, checked against the model.
data::Dataset load_part(const HeModelOptions& options, const model::Model& model,
                        const std::string& split);

void add_he_plan_command(CLI::App& group);
void add_he_infer_command(CLI::App& group);

}  // namespace ward::cli
