// What `ward train` does once the weights are there: model file, training record, summary.
#pragma once

#include <optional>
#include <string>

#include "ward/cli/internal/data_options.h"
#include "ward/cli/internal/model_options.h"
#include "ward/data/load.h"
#include "ward/train/trainer.h"

namespace ward::cli {

inline constexpr const char* kNoPrivacy =
    "no guarantee: the model may reveal the examples it was trained on";

struct TrainingOutcome {
    const data::LoadedData& loaded;
    const std::optional<data::LoadedData>& test;
    const train::TrainOptions& options;
    train::TrainResult result;
    std::string command;
    RuntimeOptions runtime;
};

struct OutcomeFiles {
    std::string model;   // empty: none
    std::string record;  // empty: next to the model
    bool json = false;
};

// The test part of the same data, encoded as the training part; nothing where there is none.
std::optional<data::LoadedData> load_test_part(const DataOptions& options,
                                               const data::Dataset& train);

// What a guarantee per row does not promise to people with several rows; empty where it is not per
// row or there are no groups.
std::string group_limit(const data::Dataset& data, const dp::PrivacyPlan& plan);

// Evaluates, writes the files, prints the summary.
// Where the record goes: as said, or next to the model; empty without a model.
std::string record_path(const OutcomeFiles& files);

void finish_training(TrainingOutcome& outcome, const OutcomeFiles& files);

// The command line as it was typed, quoted for a shell.
std::string command_line();
void remember_command_line(int argc, char** argv);

}  // namespace ward::cli
