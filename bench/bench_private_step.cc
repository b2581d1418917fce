// Time and memory of one private training step against an ordinary one, in one run.
//
// All are whole steps on the same synthetic batch: forward, backward, update by SGD. The private
// one adds norms, clipping, lattice and noise. Compared is what LibTorch's own layers take
// (plain_fp32_ms, ratio) and what Ward's step without privacy takes, whose products are faster
// (ward_plain_fp32_ms, ratio_to_ward_plain). The variants take turns, round by round, and medians
// are compared; memory is the peak of a process of its own for each variant.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/model/zoo.h"
#include "ward/nn/network.h"
#include "ward/nn/runtime.h"
#include "ward/nn/threads.h"
#include "ward/nn/torch.h"
#include "ward/train/optimizer.h"
#include "ward/train/private_step.h"

namespace {

using namespace ward;

struct Workload {
    std::string model;
    int64_t batch;
    int64_t vocabulary = 0;
    model::ModelSpec spec;
};

// The models and batch sizes of docs/performance.md.
std::vector<Workload> workloads() {
    model::ZooOptions mlp, cnn, resnet, transformer;
    mlp.input_shape = {784};
    mlp.hidden = {1024, 1024};
    cnn.input_shape = {1, 28, 28};
    resnet.input_shape = {3, 32, 32};
    mlp.outputs = cnn.outputs = resnet.outputs = 10;
    transformer.input_shape = {128};
    transformer.vocabulary = 8000;
    transformer.dimension = 256;
    transformer.depth = 4;
    transformer.outputs = 2;
    return {{"mlp", 256, 0, model::make_model("mlp", mlp)},
            {"cnn", 256, 0, model::make_model("cnn", cnn)},
            {"resnet18-gn", 64, 0, model::make_model("resnet18-gn", resnet)},
            {"transformer", 32, 8000, model::make_model("transformer", transformer)}};
}

train::Batch random_batch(const Workload& workload) {
    torch::manual_seed(1);
    std::vector<int64_t> shape = workload.spec.input_shape;
    shape.insert(shape.begin(), workload.batch);
    const at::Tensor inputs = workload.vocabulary > 0
                                  ? torch::randint(0, workload.vocabulary, shape).to(at::kFloat)
                                  : torch::randn(shape);
    return {inputs, torch::randint(0, workload.spec.outputs, {workload.batch})};
}

dp::PrivacyPlan plan_of(const Workload& workload) {
    dp::PlanRequest request;
    request.examples = 60000;
    request.expected_batch = workload.batch;
    request.steps = 1000;
    request.delta = 1e-5;
    request.noise_multiplier = 1;
    request.dimension = model::parameter_count(workload.spec);
    request.sensitivity_margin = train::kSensitivityMargin;
    return dp::PrivacyPlan::create(request);
}

// One variant of the step, ready to be repeated.
class Stepper {
  public:
    Stepper(const Workload& workload, const std::string& variant)
        : libtorch_(variant == "plain"),
          network_(workload.spec, 1),
          batch_(random_batch(workload)),
          random_(Random::from_system()),
          optimizer_({}) {
        network_.set_precision(variant == "bf16" ? nn::Precision::kBf16 : nn::Precision::kFp32);
        network_.set_training(true);
        for (nn::Parameter& parameter : network_.parameters()) values_.push_back(parameter.value);
        if (variant == "fp32" || variant == "bf16") {
            plan_ = std::make_unique<dp::PrivacyPlan>(plan_of(workload));
            step_ = std::make_unique<train::PrivateStep>(network_, *plan_, 1);
        }
    }

    double milliseconds() {
        nn::use_own_kernels(!libtorch_);
        const auto start = std::chrono::steady_clock::now();
        if (step_) {
            step_->add(batch_);
            optimizer_.step(values_, step_->finish(random_), 0.01);
        } else {
            plain();
        }
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count();
    }

  private:
    void plain() {
        for (at::Tensor& value : values_) value.set_requires_grad(true);
        const at::Tensor loss = train::summed_loss(network_.forward(batch_.inputs), batch_.labels,
                                                   network_.spec().task, 1);
        (loss / static_cast<double>(batch_.inputs.size(0))).backward();
        std::vector<at::Tensor> gradients;
        for (at::Tensor& value : values_) {
            gradients.push_back(value.grad());
            value.mutable_grad().reset();
            value.set_requires_grad(false);
        }
        optimizer_.step(values_, gradients, 0.01);
    }

    bool libtorch_;
    nn::Network network_;
    train::Batch batch_;
    Random random_;
    train::Optimizer optimizer_;
    std::vector<at::Tensor> values_;
    std::unique_ptr<dp::PrivacyPlan> plan_;
    std::unique_ptr<train::PrivateStep> step_;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

// Runs three steps in a child process and returns its peak memory in bytes.
int64_t peak_memory_bytes(const std::string& model, const char* variant, int threads) {
    int ends[2];
    if (pipe(ends) != 0) return 0;
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "bench_private_step", "--probe", variant, "--model", model.c_str(),
              "--threads", std::to_string(threads).c_str(), nullptr);
        _exit(127);
    }
    close(ends[1]);
    char text[64] = "";
    [[maybe_unused]] const ssize_t got = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return std::atoll(text);
}

void probe(const Workload& workload, const std::string& variant) {
    Stepper stepper(workload, variant);
    for (int i = 0; i < 3; ++i) stepper.milliseconds();
    // Not getrusage: its peak survives exec and would be this process's parent's.
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmHWM:", 0) == 0)
            std::printf("%lld\n", 1024 * std::atoll(line.c_str() + 6));
    }
}

struct Plain {
    double libtorch_ms, ward_ms;
    int64_t bytes;
};

nlohmann::ordered_json row(const Workload& workload, const char* precision, const Plain& plain,
                           double private_ms, int threads) {
    const int64_t bytes = peak_memory_bytes(workload.model, precision, threads);
    return {{"model", workload.model},
            {"precision", precision},
            {"batch", workload.batch},
            {"plain_fp32_ms", plain.libtorch_ms},
            {"ward_plain_fp32_ms", plain.ward_ms},
            {"private_ms", private_ms},
            {"ratio", private_ms / plain.libtorch_ms},
            {"ratio_to_ward_plain", private_ms / plain.ward_ms},
            {"plain_fp32_bytes", plain.bytes},
            {"private_bytes", bytes},
            {"memory_ratio",
             static_cast<double>(bytes) / static_cast<double>(std::max<int64_t>(plain.bytes, 1))},
            {"threads", threads}};
}

nlohmann::ordered_json measure(const Workload& workload, int rounds, int threads) {
    Stepper steppers[] = {
        {workload, "plain"}, {workload, "ward-plain"}, {workload, "fp32"}, {workload, "bf16"}};
    std::vector<double> times[4];
    for (int round = -2; round < rounds; ++round) {
        for (int i = 0; i < 4; ++i) {
            const double ms = steppers[i].milliseconds();
            if (round >= 0) times[i].push_back(ms);  // the first two warm up
        }
    }
    const Plain plain{median(times[0]), median(times[1]),
                      peak_memory_bytes(workload.model, "plain", threads)};
    return {row(workload, "fp32", plain, median(times[2]), threads),
            row(workload, "bf16", plain, median(times[3]), threads)};
}

int run(int argc, char** argv) {
    CLI::App app{"Private against ordinary training steps: median times and peak memory."};
    std::string model, variant;
    int rounds = 0, threads = 2;
    bool json = false;
    app.add_option("--model", model, "Only this one: mlp, cnn, resnet18-gn or transformer");
    app.add_option("--rounds", rounds, "Rounds [by model: 41, 41, 7, 11]");
    app.add_option("--threads", threads, "Threads")->capture_default_str();
    app.add_option("--probe", variant,
                   "Print the peak memory of plain, fp32 or bf16 steps and stop");
    app.add_flag("--json", json, "Print one JSON list");
    CLI11_PARSE(app, argc, argv);
    nn::set_threads(threads);
    nlohmann::ordered_json results = nlohmann::ordered_json::array();
    if (!json && variant.empty()) {
        std::printf("%s, %s, %s, %d threads\n%-12s %-5s %10s %10s %10s %7s %9s %8s\n",
                    cpu_features().brand.c_str(), std::string(isa_name(isa())).c_str(),
                    nn::blas_description().c_str(), threads, "model", "type", "LibTorch", "Ward",
                    "private ms", "ratio", "to Ward's", "memory");
    }
    for (const Workload& workload : workloads()) {
        if (!model.empty() && model != workload.model) continue;
        if (!variant.empty()) {
            probe(workload, variant);
            continue;
        }
        const int by_model = workload.model == "resnet18-gn"   ? 7
                             : workload.model == "transformer" ? 11
                                                               : 41;
        for (auto& entry : measure(workload, rounds > 0 ? rounds : by_model, threads)) {
            if (!json) {
                std::printf("%-12s %-5s %10.2f %10.2f %10.2f %7.3f %9.3f %8.3f\n",
                            workload.model.c_str(), entry["precision"].get<std::string>().c_str(),
                            entry["plain_fp32_ms"].get<double>(),
                            entry["ward_plain_fp32_ms"].get<double>(),
                            entry["private_ms"].get<double>(), entry["ratio"].get<double>(),
                            entry["ratio_to_ward_plain"].get<double>(),
                            entry["memory_ratio"].get<double>());
                std::fflush(stdout);
            }
            results.push_back(std::move(entry));
        }
    }
    if (json && variant.empty()) std::cout << results.dump(1) << "\n";
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    nn::tune_process(argv);
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_private_step: error: %s\n", error.what());
        return 1;
    }
}
