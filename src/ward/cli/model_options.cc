#include "ward/cli/internal/model_options.h"

#include <CLI/CLI.hpp>

#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/core/progress.h"
#include "ward/nn/threads.h"

namespace ward::cli {

void add_runtime_options(CLI::App& command, RuntimeOptions& options) {
    command.add_option("--threads", options.threads, "Threads [all processors]")->group("Running");
    command.add_option("--device", options.device, "cpu, cuda:0, ...")
        ->capture_default_str()
        ->group("Running");
    command
        .add_option("--precision", options.precision,
                    "fp32 or bf16 (fast where the processor has AMX or AVX-512 BF16)")
        ->capture_default_str()
        ->group("Running");
    command.add_option("--progress", options.progress, "auto, bar, plain, json or off")
        ->capture_default_str()
        ->group("Running");
}

void apply(const RuntimeOptions& options) {
    nn::set_threads(options.threads > 0 ? options.threads : num_threads());
    set_progress_mode(parse_progress_mode(options.progress));
}

void require_fit(const model::Model& model, const data::Dataset& data) {
    if (data.example_shape != model.spec.input_shape) {
        throw Error(ErrorCode::kInvalid,
                    "data set " + data.name + " has examples of another shape than the model takes",
                    "use data like the model's training data (ward inspect shows it)");
    }
    const auto& trained = model.card.class_names;
    if (!data.labels.empty() && !trained.empty() && data.class_names != trained) {
        throw Error(ErrorCode::kInvalid,
                    "data set " + data.name + " has other classes than the model was trained on",
                    "ward inspect lists the model's classes");
    }
}

}  // namespace ward::cli
