// Exact extraction of ReLU networks with one hidden layer: queries, time and largest error.
//
//   bench_attack_extraction [--json]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "ward/attack/exact_extraction.h"
#include "ward/core/cpu.h"
#include "ward/core/progress.h"
#include "ward/nn/network.h"
#include "ward/nn/runtime.h"
#include "ward/nn/threads.h"
#include "ward/nn/torch.h"

namespace {

using namespace ward;

struct Case {
    int64_t inputs, hidden, outputs;
    uint64_t seed;
};

model::Model random_network(const Case& c) {
    model::Model model;
    model.spec.name = "victim";
    model.spec.input_shape = {c.inputs};
    model.spec.task = model::Task::kRegression;
    model.spec.outputs = c.outputs;
    model.spec.layers = {{"fc1", model::Linear{.out_features = c.hidden}},
                         {"relu", model::Activation{}},
                         {"fc2", model::Linear{.out_features = c.outputs}}};
    model.weights = nn::Network(model.spec, c.seed).export_weights();
    return model;
}

int run(bool json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    if (!json) {
        std::printf("%-14s %6s %8s %10s %10s %12s %12s %8s\n", "network", "seed", "neurons",
                    "lines", "queries", "max error", "output rms", "seconds");
    }
    const Case cases[] = {{784, 32, 1, 1},  {784, 32, 1, 2},  {784, 32, 1, 3},
                          {784, 128, 1, 1}, {784, 32, 10, 1}, {20, 64, 1, 1}};
    for (const Case& c : cases) {
        const attack::ExactExtraction copy =
            attack::extract_exactly(attack::exact_oracle(random_network(c)), c.inputs, {});
        const std::string name = std::to_string(c.inputs) + "-" + std::to_string(c.hidden) + "-" +
                                 std::to_string(c.outputs);
        rows.push_back({{"network", name},
                        {"seed", c.seed},
                        {"neurons", copy.neurons},
                        {"queries", copy.queries},
                        {"max_error", copy.max_error},
                        {"output_rms", copy.output_scale},
                        {"seconds", copy.seconds}});
        if (json) continue;
        std::printf("%-14s %6lu %8ld %10ld %10ld %12.2g %12.3g %8.2f\n", name.c_str(),
                    static_cast<unsigned long>(c.seed), static_cast<long>(copy.neurons),
                    static_cast<long>(copy.lines), static_cast<long>(copy.queries), copy.max_error,
                    copy.output_scale, copy.seconds);
    }
    if (json) std::cout << rows.dump() << "\n";
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    ward::nn::tune_process(argv);
    CLI::App app{"exact extraction of small ReLU networks"};
    bool json = false;
    int threads = 1;
    app.add_flag("--json", json, "Print one JSON document");
    app.add_option("--threads", threads, "Threads")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    ward::set_progress_mode(ward::ProgressMode::kOff);
    ward::nn::set_threads(threads);
    if (!json) std::printf("%s, %d threads\n", ward::cpu_features().brand.c_str(), threads);
    return run(json);
}
