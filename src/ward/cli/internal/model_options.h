// What the commands that run a network share: threads, device, precision, progress.
#pragma once

#include <string>

#include "ward/data/dataset.h"
#include "ward/model/model.h"

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

// A data set encoded as the model's card says. Throws Error kInvalid when it does not fit the
// model.
void require_fit(const model::Model& model, const data::Dataset& data);

}  // namespace ward::cli
