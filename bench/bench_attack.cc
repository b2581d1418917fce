// What attacks cost beside the bare passes through the model, and how many images stay robust.
//
// One thread, CPU seconds per 1000 images. `overhead` is the time of an attack over that of its
// bare passes: every call of the model is recorded with its number of examples and of backward
// passes, and the same calls are made once more, in the same order, with nothing around them.
// Attack and replay take turns; the median over the pairs is shown. `full` is the time over what as
// many passes would take in batches of 200, the least of ten: it also holds what small batches
// cost. Without --model: a small convolutional network with fixed weights on random images, which
// shows the overhead but no comparable accuracy.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "lockstep_cw.h"
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
constexpr int64_t kFullBatch = 200;
constexpr std::array<int64_t, 7> kBatches = {1, 10, 25, 50, 100, 200, 400};
constexpr double kLeastSeconds = 2;   // of an attack within one pair
constexpr double kMostSeconds = 120;  // of an attack in all pairs, after which no more begin

const char* const kPeerRule = "cw-peers";

struct Case {
    std::string attack;
    double epsilon;
    int64_t steps;
    int64_t count;
    double bar;  // CPU seconds per 1000 images to stay under, on the reference model; 0: none
    attack::Norm norm = attack::Norm::kLinf;
    int64_t restarts = 0;
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
        {"cw", kAny, 100, 50, 0, attack::Norm::kL2, 3},
        {"cw", kAny, 200, 50, 0, attack::Norm::kL2, 9},
        {kPeerRule, kAny, 100, 50, 0, attack::Norm::kL2, 3},
        {kPeerRule, kAny, 1000, 50, 0, attack::Norm::kL2, 9},
        {kPeerRule, kAny, 10000, 50, 0, attack::Norm::kL2, 9},
        {"hopskipjump", kAny, 10, 50, 150, attack::Norm::kL2},
        {"autoattack", 0.2, 0, 200, 350},
        {"fmn", kAny, 100, 200, 0, attack::Norm::kL2},
        {"fmn", 0.2, 100, 200, 0},
        {"cw", 0.2, 300, 50, 0},
        {"ead", kAny, 100, 50, 0, attack::Norm::kL1},
        {"spsa", 0.2, 20, 50, 0},
        {"simba", 0.2, 1000, 50, 0},
        {"boundary", kAny, 1000, 50, 0, attack::Norm::kL2},
        {"zoo", kAny, 50, 20, 0, attack::Norm::kL2},
    };
    return kCases;
}

struct Subject {
    std::unique_ptr<nn::ScriptModule> script;
    std::unique_ptr<nn::Network> network;
    at::Tensor x, y;

    at::Tensor forward(const at::Tensor& input) const {
        return script ? script->forward(input) : network->forward(input);
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
    at::NoGradGuard no_grad;
    subject.y = subject.forward(subject.x).argmax(1);
    return subject;
}

double cpu_now() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// One call of the model: examples, and backward passes through it.
struct Call {
    int64_t rows = 0, backward = 0;
};

// Keeps what calls an attack makes of a model, so that they can be made again without the attack.
class Trace {
  public:
    explicit Trace(const Subject& subject) : subject_(subject) {}

    attack::Target target() {
        return attack::Target([this](const at::Tensor& x) { return call(x); });
    }
    void record(bool on) { recording_ = on; }
    void clear() { calls_.clear(); }

    // CPU seconds of the same calls in the same order.
    double replay() const {
        const double start = cpu_now();
        for (const Call& call : calls_) repeat(call.rows, call.backward);
        return cpu_now() - start;
    }

    // CPU seconds of one forward pass, or one with one backward pass, per example in such batches.
    double bare(int64_t rows, int64_t backward) const {
        rows = std::min(rows, subject_.x.size(0));
        double least = 1e9;
        for (int repetition = 0; repetition < 10; ++repetition) {
            const double start = cpu_now();
            repeat(rows, backward);
            least = std::min(least, (cpu_now() - start) / double(rows));
        }
        return least;
    }

  private:
    at::Tensor call(const at::Tensor& x) {
        at::Tensor y = subject_.forward(x);
        if (!recording_) return y;
        const size_t place = calls_.size();
        calls_.push_back({x.size(0), 0});
        if (y.requires_grad())
            y.register_hook([this, place](const at::Tensor&) { ++calls_[place].backward; });
        return y;
    }

    void repeat(int64_t rows, int64_t backward) const {
        const at::Tensor x = subject_.x.narrow(0, 0, std::min(rows, subject_.x.size(0))).detach();
        at::AutoGradMode grad_mode(backward > 0);
        const at::Tensor input = backward > 0 ? x.set_requires_grad(true) : x;
        const at::Tensor output = subject_.forward(input);
        if (backward == 0) return;
        const at::Tensor seed = torch::ones_like(output);
        for (int64_t k = 1; k <= backward; ++k)
            (void)torch::autograd::grad({output}, {input}, {seed}, k < backward);
    }

    const Subject& subject_;
    std::vector<Call> calls_;
    bool recording_ = false;
};

// Records the calls of an attack alone, without those that judge what it has found.
class Recorded : public attack::Attack {
  public:
    Recorded(std::unique_ptr<attack::Attack> attack, Trace& trace)
        : attack_(std::move(attack)), trace_(trace) {}

    std::string_view name() const override { return attack_->name(); }
    attack::Access needs() const override { return attack_->needs(); }
    bool minimises_norm() const override { return attack_->minimises_norm(); }
    at::Tensor perturb(attack::Target& target, const attack::Points& points) override {
        trace_.record(true);
        at::Tensor found = attack_->perturb(target, points);
        trace_.record(false);
        return found;
    }

  private:
    std::unique_ptr<attack::Attack> attack_;
    Trace& trace_;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t n = values.size();
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// Short runs are repeated until there is something to measure.
int runs_at_once(double seconds) {
    return std::clamp(static_cast<int>(std::ceil(kLeastSeconds / seconds)), 1, 200);
}

std::unique_ptr<attack::Attack> attack_of(const Case& wanted,
                                          const attack::EvasionOptions& options) {
    return wanted.attack == kPeerRule ? bench::make_lockstep_cw(options)
                                      : attack::make_attack(wanted.attack, options);
}

nlohmann::ordered_json run_case(const Subject& subject, const Case& wanted, int pairs) {
    attack::EvasionOptions options;
    options.norm = wanted.norm;
    options.epsilon = wanted.epsilon;
    options.steps = wanted.steps;
    options.restarts = wanted.restarts;
    Trace trace(subject);
    attack::Target target = trace.target();
    const int64_t n = std::min(wanted.count, subject.x.size(0));
    const attack::Points points{subject.x.narrow(0, 0, n), subject.y.narrow(0, 0, n), {}};
    attack::EvasionResult result;
    std::vector<double> seconds, bares, overheads;
    double spent = 0;
    for (int pair = 0, runs = 1; pair < pairs && spent < kMostSeconds; ++pair) {
        double taken = 0, bare = 0;
        for (int run = 0; run < runs; ++run) {
            trace.clear();
            Recorded recorded(attack_of(wanted, options), trace);
            result = attack::evade(target, recorded, points, options);
            taken += result.cpu_seconds;
            bare += trace.replay();
        }
        spent += taken;
        seconds.push_back(taken / runs);
        bares.push_back(bare / runs);
        overheads.push_back(taken / bare);
        runs = runs_at_once(seconds[0]);
    }
    const double forward = trace.bare(kFullBatch, 0), both = trace.bare(kFullBatch, 1);
    const double full =
        double(n) * (forward * (result.forward_per_example - result.backward_per_example) +
                     both * result.backward_per_example);
    nlohmann::ordered_json line = {
        {"attack", wanted.attack},
        {"norm", attack::norm_name(wanted.norm)},
        {"epsilon", wanted.epsilon},
        {"images", n},
        {"robust_accuracy", result.robust_accuracy},
        {"cpu_seconds_per_1000", 1000 * median(seconds) / double(n)},
        {"bare_cpu_seconds_per_1000", 1000 * median(bares) / double(n)},
        {"forward_per_example", result.forward_per_example},
        {"backward_per_example", result.backward_per_example},
        {"mean_norm", result.mean_norm},
        {"overhead", median(overheads)},
        {"overhead_least", *std::min_element(overheads.begin(), overheads.end())},
        {"overhead_full_batches", median(seconds) / full}};
    line["steps"] = std::to_string(options.restarts) + " x " + std::to_string(options.steps);
    if (wanted.bar > 0 && subject.script) line["bar"] = wanted.bar;
    return line;
}

// C&W beside the passes alone that the peers' rule makes, budget by budget: [] where not both ran.
nlohmann::ordered_json against_peers(const nlohmann::ordered_json& lines) {
    nlohmann::ordered_json own, out = nlohmann::ordered_json::array();
    for (const auto& line : lines)
        if (line["attack"] == "cw" && line["norm"] == "l2") own.push_back(line);
    for (const auto& peer : lines) {
        if (peer["attack"] != kPeerRule) continue;
        for (const auto& line : own) {
            const double seconds = line["cpu_seconds_per_1000"],
                         bare = peer["bare_cpu_seconds_per_1000"];
            out.push_back({{"steps", line["steps"]},
                           {"peer_steps", peer["steps"]},
                           {"seconds_over_bare_peer", seconds / bare},
                           {"robust_accuracy", line["robust_accuracy"]},
                           {"peer_robust_accuracy", peer["robust_accuracy"]},
                           {"mean_norm", line["mean_norm"]},
                           {"peer_mean_norm", peer["mean_norm"]}});
        }
    }
    return out;
}

void print_line(const nlohmann::ordered_json& line) {
    std::printf("%-14s %-5s %5.3g %6ld %8.3f %10.2f %9.1f %9.1f %9.3f %9.2f %9.3f\n",
                line["attack"].get<std::string>().c_str(), line["norm"].get<std::string>().c_str(),
                line["epsilon"].get<double>(), line["images"].get<long>(),
                line["robust_accuracy"].get<double>(), line["cpu_seconds_per_1000"].get<double>(),
                line["forward_per_example"].get<double>(),
                line["backward_per_example"].get<double>(), line["overhead"].get<double>(),
                line["overhead_full_batches"].get<double>(), line["mean_norm"].get<double>());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    nn::tune_process(argv);
    CLI::App app{"Cost of evasion attacks over the bare passes through the model"};
    std::string model, data = "mnist", only;
    bool json = false;
    int pairs = 3;
    bool peers = false;
    app.add_option("--model", model, "TorchScript file that takes pixels in 0..1 [a random CNN]");
    app.add_option("--data", data, "Its data set")->capture_default_str();
    app.add_option("--only", only, "Run the attacks alone whose names begin so");
    app.add_option("--pairs", pairs, "Attack and replay this often in turn")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_flag("--peers", peers, "Also make the passes of the peers' rule of C&W (minutes)");
    app.add_flag("--json", json, "Print one JSON document");
    CLI11_PARSE(app, argc, argv);
    nn::set_threads(1);
    set_progress_mode(ProgressMode::kOff);
    try {
        const Subject subject =
            model.empty() ? synthetic_subject() : reference_subject(model, data);
        nlohmann::ordered_json out = {{"cpu", cpu_features().brand}, {"threads", 1}, {"seed", 0}};
        if (!json) {
            std::printf("# %s, 1 thread, seed 0\n", cpu_features().brand.c_str());
            std::printf("%-14s %-5s %5s %6s %8s %10s %9s %9s %9s %9s %9s\n", "attack", "norm",
                        "eps", "images", "robust", "s/1000", "forward", "backward", "overhead",
                        "full", "mean norm");
        }
        for (const Case& wanted : cases()) {
            if (!only.empty() && wanted.attack.rfind(only, 0) != 0) continue;
            if (wanted.attack == kPeerRule && !peers) continue;
            const auto line = run_case(subject, wanted, pairs);
            if (!json) print_line(line);
            out["attacks"].push_back(line);
        }
        for (const auto& line : against_peers(out["attacks"])) {
            if (!json) std::printf("# %s\n", line.dump().c_str());
            out["cw_against_peers"].push_back(line);
        }
        const Trace trace(subject);
        for (const int64_t rows : kBatches) {
            const nlohmann::ordered_json line = {
                {"batch", rows},
                {"forward_microseconds", 1e6 * trace.bare(rows, 0)},
                {"forward_backward_microseconds", 1e6 * trace.bare(rows, 1)}};
            if (!json)
                std::printf("# bare passes, microseconds per example: %s\n", line.dump().c_str());
            out["bare"].push_back(line);
        }
        if (json) std::cout << out.dump(1) << "\n";
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_attack: %s\n", error.what());
        return 1;
    }
    return 0;
}
