// Membership attacks against each other, on equal terms: many targets, the same references.
//
// K + 2 models are trained on halves of a pool. Each of them in turn is the target, and the K
// models that are neither it nor its complement are the references. Figures are means over the K +
// 2 targets; the errors are standard errors of those means (targets share references, so they are
// a little too small). `1 reference` uses one pair: every example is judged by the one model of the
// pair that was trained without it.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "ward/attack/membership_run.h"
#include "ward/attack/quantile_regression.h"
#include "ward/attack/target.h"
#include "ward/core/cpu.h"
#include "ward/core/parallel.h"
#include "ward/core/progress.h"
#include "ward/data/load.h"
#include "ward/nn/network.h"
#include "ward/nn/runtime.h"
#include "ward/nn/threads.h"
#include "ward/nn/torch.h"
#include "ward/train/evaluate.h"
#include "ward/train/recipes.h"

namespace {

using namespace ward;

struct Options {
    data::LoadRequest data;
    std::string model = "mlp";
    int64_t references = 16;
    double epochs = 30, learning_rate = 0.1;
    int64_t batch = 64;
    std::string cache;
    uint64_t seed = 1;
    bool json = false;
};

struct Mean {
    double sum = 0, squares = 0;
    int64_t count = 0;

    void add(double value) {
        sum += value;
        squares += value * value;
        ++count;
    }
    double value() const { return sum / static_cast<double>(count); }
    double error() const {
        const auto n = static_cast<double>(count);
        return count < 2 ? 0 : std::sqrt((squares - sum * sum / n) / (n - 1) / n);
    }
};

struct Row {
    std::string attack;
    int64_t references;
    Mean auc, tpr_low, tpr_high;
};

std::vector<int64_t> range(int64_t first, int64_t last) {
    std::vector<int64_t> rows(last - first);
    std::iota(rows.begin(), rows.end(), first);
    return rows;
}

attack::ShadowOptions shadow_options(const Options& options, const data::Dataset& pool) {
    attack::ShadowOptions shadows;
    shadows.train.spec = train::spec_for(pool, options.model, train::recipe_named("small-table"));
    shadows.train.optimizer.momentum = 0.9;
    shadows.train.batch_size = options.batch;
    shadows.train.epochs = options.epochs;
    shadows.train.schedule.learning_rate = options.learning_rate;
    shadows.models = options.references + 2;
    shadows.seed = options.seed;
    shadows.cache = options.cache;
    return shadows;
}

at::Tensor tensor_of(const data::Dataset& data) {
    return torch::from_blob(const_cast<float*>(data.inputs.data()),
                            {data.size(), data.example_size()});
}

// What quantile regression and label-noise need beyond scores.
void add_features_and_labels(const model::Model& model, const data::Dataset& pool,
                             const data::Dataset& population, attack::MembershipSignals& signals) {
    signals.features = attack::regression_features(pool, model.spec.outputs);
    signals.population_features = attack::regression_features(population, model.spec.outputs);
    const nn::Network network(model);
    attack::Target target(network, attack::Access::kLabels);
    signals.label_noise = attack::noise_robustness(
        target, tensor_of(pool), torch::tensor(pool.labels, at::kLong), tensor_of(population), {});
}

void attack_all(const std::vector<attack::Shadow>& models, const data::Dataset& pool,
                const data::Dataset& population, std::vector<Row>& rows) {
    for (size_t target = 0; target < models.size(); ++target) {
        std::vector<attack::Shadow> references;
        for (size_t m = 0; m < models.size(); ++m)
            if (m / 2 != target / 2) references.push_back(models[m]);
        attack::MembershipSignals all =
            attack::membership_signals(models[target].model, references, pool, population);
        add_features_and_labels(models[target].model, pool, population, all);
        attack::MembershipSignals pair = all;
        pair.references.resize(2);
        pair.reference_population.resize(2);
        pair.held.resize(2);
        for (Row& row : rows) {
            const auto scores =
                attack::membership_scores(row.attack, row.references == 1 ? pair : all);
            const attack::Roc roc = attack::roc_of(scores, models[target].held, {.resamples = 1});
            row.auc.add(roc.auc);
            row.tpr_low.add(roc.at[0].true_positive_rate);
            row.tpr_high.add(roc.at[1].true_positive_rate);
        }
    }
}

std::vector<Row> wanted_rows(int64_t references) {
    std::vector<Row> rows;
    for (const char* attack : {"loss", "attack-p", "quantile", "label-noise"})
        rows.push_back({attack, 0, {}, {}, {}});
    for (const char* attack : {"attack-r", "lira-offline-fixed", "rmia-offline"})
        rows.push_back({attack, 1, {}, {}, {}});
    for (const std::string& attack : attack::membership_attack_names())
        if (attack::needs_references(attack)) rows.push_back({attack, references, {}, {}, {}});
    return rows;
}

void print(const Options& options, const std::vector<Row>& rows) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    if (!options.json)
        std::printf("%-20s %4s  %-16s %-18s %s\n", "attack", "refs", "AUC", "TPR at 0.1 % FPR",
                    "TPR at 1 % FPR");
    for (const Row& row : rows) {
        if (options.json) {
            list.push_back({{"attack", row.attack},
                            {"references", row.references},
                            {"auc", {row.auc.value(), row.auc.error()}},
                            {"tpr_at_0.001", {row.tpr_low.value(), row.tpr_low.error()}},
                            {"tpr_at_0.01", {row.tpr_high.value(), row.tpr_high.error()}}});
        } else {
            std::printf("%-20s %4ld  %.4f +- %.4f  %5.2f +- %.2f %%     %5.2f +- %.2f %%\n",
                        row.attack.c_str(), static_cast<long>(row.references), row.auc.value(),
                        row.auc.error(), 100 * row.tpr_low.value(), 100 * row.tpr_low.error(),
                        100 * row.tpr_high.value(), 100 * row.tpr_high.error());
        }
    }
    if (options.json) std::cout << list.dump() << "\n";
}

void run(const Options& options) {
    const data::Dataset all = data::load_dataset(options.data).dataset;
    const int64_t aside = all.size() / 5;  // the population
    const data::Dataset population = data::select_rows(all, range(0, aside));
    const data::Dataset pool = data::select_rows(all, range(aside, all.size()));
    const auto models = attack::train_shadows(pool, shadow_options(options, pool));
    Mean inside, outside;
    for (const attack::Shadow& shadow : models) {
        nn::Network network(shadow.model);
        outside.add(train::accuracy(train::predict(network, population), population));
        std::vector<int64_t> held;
        for (size_t i = 0; i < shadow.held.size(); ++i)
            if (shadow.held[i]) held.push_back(static_cast<int64_t>(i));
        const data::Dataset own = data::select_rows(pool, held);
        inside.add(train::accuracy(train::predict(network, own), own));
    }
    std::vector<Row> rows = wanted_rows(options.references);
    attack_all(models, pool, population, rows);
    if (!options.json) {
        std::printf("%s, %d threads, seed %lu\n", cpu_features().brand.c_str(), num_threads(),
                    static_cast<unsigned long>(options.seed));
        std::printf(
            "%s: pool %ld, population %ld, %zu targets; accuracy %.2f %% on members, %.2f "
            "%% on others\n\n",
            all.name.c_str(), static_cast<long>(pool.size()), static_cast<long>(aside),
            models.size(), 100 * inside.value(), 100 * outside.value());
    }
    print(options, rows);
}

}  // namespace

int main(int argc, char** argv) {
    nn::tune_process(argv);
    Options options;
    options.data.split = "all";
    CLI::App app{"Membership attacks on equal terms"};
    app.add_option("--data", options.data.data, "Data set")->required();
    app.add_option("--schema", options.data.schema, "Its schema");
    app.add_option("--model", options.model, "Network")->capture_default_str();
    app.add_option("--references", options.references, "Reference models")->capture_default_str();
    app.add_option("--epochs", options.epochs)->capture_default_str();
    app.add_option("--batch", options.batch)->capture_default_str();
    app.add_option("--learning-rate", options.learning_rate)->capture_default_str();
    app.add_option("--cache", options.cache, "Folder that keeps the models");
    app.add_option("--seed", options.seed)->capture_default_str();
    app.add_flag("--json", options.json, "Print one JSON document");
    CLI11_PARSE(app, argc, argv);
    nn::set_threads(num_threads());
    try {
        run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
