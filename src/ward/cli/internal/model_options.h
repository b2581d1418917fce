// What the commands that run a network share: threads, device, precision, progress.
#pragma once

#include <string>

#include "ward/cli/internal/data_options.h"
#include "ward/cli/internal/recipient_options.h"
#include "ward/data/load.h"
#include "ward/model/model.h"
#include "ward/train/evaluate.h"

namespace CLI {
class App;
}

namespace ward::cli {

struct RuntimeOptions {
    int threads = 0;  // 0: all processors this process may use
    std::string device = "cpu";
    std::string precision = "fp32";
    std::string progress = "auto";
};

void add_runtime_options(CLI::App& command, RuntimeOptions& options);

// Sets threads and progress for the process.
void apply(const RuntimeOptions& options);

// `ward evaluate` and `ward predict` begin alike: a model, data encoded as its card says, and its
// predictions for them.
struct ModelRunOptions {
    std::string model;
    IdentityOptions identities;
    DataOptions data;
    RuntimeOptions runtime;
    std::string split;
};

// Adds the positional MODEL and the options of data and runtime. The order of `splits` is that of
// the help text; the first one is the default.
void add_model_run_options(CLI::App& command, ModelRunOptions& options, const std::string& splits);

struct ModelRun {
    model::Model model;
    data::LoadedData loaded;
    train::Predictions predictions;
};

// Data read for a model, checked against its inputs and classes. Throws Error kInvalid that says
// what the model expects, when they do not fit it.
data::LoadedData load_fitting(const model::Model& model, const data::LoadRequest& request);

// Throws likewise.
ModelRun run_model(const ModelRunOptions& options, bool labels_required);

}  // namespace ward::cli
