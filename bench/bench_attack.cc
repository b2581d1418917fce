// What attacks cost beside the bare passes through the model, and how many images stay robust.
//
// One thread, CPU seconds per 1000 images. The bare cost of a pass is measured in the same run on
// the same model, in batches of the size the attack uses; `overhead` is the time of an attack over
// what its passes alone would take. Without --model: a small convolutional network with fixed
// weights on random images, which shows the overhead but no comparable accuracy.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ward/attack/evasion.h"
#include "ward/core/cpu.h"
#include "ward/core/progress.h"
#include "ward/data/load.h"
#include "ward/model/zoo.h"
#include "ward/nn/network.h"
#include "ward/nn/runtime.h"
#include "ward/nn/script_module.h"
#include "ward/nn/threads.h"
#include "ward/nn/torch.h"

namespace {

using namespace ward;

// Large enough for any perturbation: attacks of least norm then show the mean norm they reach.
constexpr double kAny = 1e6;

struct Case {
    std::string attack;
    double epsilon;
    int64_t steps;
    int64_t count;
    double bar;  // CPU seconds per 1000 images to stay under, on the reference model; 0: none
    attack::Norm norm = attack::Norm::kLinf;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> kCases = {
        {"fgsm", 0.3, 0, 1000, 0},
        {"pgd", 0.3, 40, 1000, 4.2},
        {"pgd", 0.2, 40, 1000, 0},
        {"apgd-ce", 0.3, 100, 1000, 10},
        {"apgd-ce", 0.2, 100, 1000, 0},
        {"square", 0.3, 1000, 200, 0},
        {"fab-t", 0.3, 100, 200, 0},
        {"deepfool", kAny, 50, 200, 12, attack::Norm::kL2},
        {"ddn", kAny, 100, 200, 0, attack::Norm::kL2},
        {"cw", kAny, 300, 50, 0, attack::Norm::kL2},
        {"hopskipjump", kAny, 10, 50, 150, attack::Norm::kL2},
        {"autoattack", 0.2, 0, 200, 350},
    };
    return kCases;
}

struct Subject {
    std::unique_ptr<nn::ScriptModule> script;
    std::unique_ptr<nn::Network> network;
    at::Tensor x, y;

    attack::Target target() const {
        return script ? attack::Target(*script) : attack::Target(*network);
    }
};

Subject reference_subject(const std::string& model, const std::string& data) {
    data::LoadRequest request;
    request.data = data;
    request.split = "test";
    request.mean = {0};
    request.std = {1};
    const data::Dataset set = data::load_dataset(request).dataset;
    std::vector<int64_t> shape = set.example_shape;
    const int64_t n = std::min<int64_t>(1000, set.size());
    shape.insert(shape.begin(), n);
    Subject subject;
    subject.script = std::make_unique<nn::ScriptModule>(model);
    subject.x = torch::from_blob(const_cast<float*>(set.inputs.data()), shape).clone();
    subject.y = torch::from_blob(const_cast<int64_t*>(set.labels.data()), {n}, at::kLong).clone();
    return subject;
}

Subject synthetic_subject() {
    model::ZooOptions options;
    options.input_shape = {1, 28, 28};
    options.outputs = 10;
    Subject subject;
    subject.network = std::make_unique<nn::Network>(model::make_model("cnn", options), 1);
    subject.x =
        at::rand({1000, 1, 28, 28}, at::make_generator<at::CPUGeneratorImpl>(2), at::kFloat);
    attack::Target target = subject.target();
    subject.y = target.labels(subject.x);
    return subject;
}

double cpu_now() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// CPU seconds of one forward and of one forward and backward pass per example, least of repeats.
struct Floor {
    double forward = 1e9, both = 1e9;
};

void measure_floor(const Subject& subject, Floor& floor) {
    const at::Tensor x = subject.x.narrow(0, 0, std::min<int64_t>(200, subject.x.size(0)));
    const auto call = [&](const at::Tensor& input) {
        return subject.script ? subject.script->forward(input) : subject.network->forward(input);
    };
    const auto n = static_cast<double>(x.size(0));
    for (int repeat = 0; repeat < 10; ++repeat) {
        double start = cpu_now();
        {
            at::NoGradGuard no_grad;
            (void)call(x);
        }
        floor.forward = std::min(floor.forward, (cpu_now() - start) / n);
        start = cpu_now();
        const at::Tensor input = x.detach().clone().set_requires_grad(true);
        const at::Tensor output = call(input);
        (void)torch::autograd::grad({output}, {input}, {torch::ones_like(output)});
        floor.both = std::min(floor.both, (cpu_now() - start) / n);
    }
}

nlohmann::ordered_json run_case(const Subject& subject, const Case& wanted, Floor& floor) {
    attack::Target target = subject.target();
    attack::EvasionOptions options;
    options.norm = wanted.norm;
    options.epsilon = wanted.epsilon;
    options.steps = wanted.steps;
    const auto attack = attack::make_attack(wanted.attack, options);
    const int64_t n = std::min(wanted.count, subject.x.size(0));
    measure_floor(subject, floor);
    const auto result = attack::evade(
        target, *attack, {subject.x.narrow(0, 0, n), subject.y.narrow(0, 0, n), {}}, options);
    measure_floor(subject, floor);
    const double bare =
        static_cast<double>(n) *
        (floor.forward * (result.forward_per_example - result.backward_per_example) +
         floor.both * result.backward_per_example);
    nlohmann::ordered_json line = {{"attack", wanted.attack},
                                   {"norm", attack::norm_name(wanted.norm)},
                                   {"epsilon", wanted.epsilon},
                                   {"images", n},
                                   {"robust_accuracy", result.robust_accuracy},
                                   {"cpu_seconds_per_1000", 1000 * result.cpu_seconds / double(n)},
                                   {"forward_per_example", result.forward_per_example},
                                   {"backward_per_example", result.backward_per_example},
                                   {"mean_norm", result.mean_norm},
                                   {"overhead", result.cpu_seconds / bare}};
    if (wanted.bar > 0 && subject.script) line["bar"] = wanted.bar;
    return line;
}

void print_line(const nlohmann::ordered_json& line) {
    std::printf("%-14s %-5s %5.3g %6ld %8.3f %10.2f %9.1f %9.1f %9.2f %9.3f\n",
                line["attack"].get<std::string>().c_str(), line["norm"].get<std::string>().c_str(),
                line["epsilon"].get<double>(), line["images"].get<long>(),
                line["robust_accuracy"].get<double>(), line["cpu_seconds_per_1000"].get<double>(),
                line["forward_per_example"].get<double>(),
                line["backward_per_example"].get<double>(), line["overhead"].get<double>(),
                line["mean_norm"].get<double>());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    nn::tune_process(argv);
    CLI::App app{"Cost of evasion attacks over the bare passes through the model"};
    std::string model, data = "mnist", only;
    bool json = false;
    app.add_option("--model", model, "TorchScript file that takes pixels in 0..1 [a random CNN]");
    app.add_option("--data", data, "Its data set")->capture_default_str();
    app.add_option("--only", only, "Run this attack alone");
    app.add_flag("--json", json, "Print one JSON document");
    CLI11_PARSE(app, argc, argv);
    nn::set_threads(1);
    set_progress_mode(ProgressMode::kOff);
    try {
        const Subject subject =
            model.empty() ? synthetic_subject() : reference_subject(model, data);
        Floor floor;
        nlohmann::ordered_json out = {{"cpu", cpu_features().brand}, {"threads", 1}, {"seed", 0}};
        if (!json) {
            std::printf("# %s, 1 thread, seed 0\n", cpu_features().brand.c_str());
            std::printf("%-14s %-5s %5s %6s %8s %10s %9s %9s %9s %9s\n", "attack", "norm", "eps",
                        "images", "robust", "s/1000", "forward", "backward", "overhead",
                        "mean norm");
        }
        for (const Case& wanted : cases()) {
            if (!only.empty() && wanted.attack != only) continue;
            const auto line = run_case(subject, wanted, floor);
            if (!json) print_line(line);
            out["attacks"].push_back(line);
        }
        out["forward_microseconds"] = 1e6 * floor.forward;
        out["forward_backward_microseconds"] = 1e6 * floor.both;
        if (json) std::cout << out.dump(1) << "\n";
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_attack: %s\n", error.what());
        return 1;
    }
    return 0;
}
