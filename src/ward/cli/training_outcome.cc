#include "ward/cli/internal/training_outcome.h"

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "ward/audit/privacy_facts.h"
#include "ward/audit/training_record.h"
#include "ward/cli/internal/local_digest.h"
#include "ward/core/cpu.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"
#include "ward/core/parallel.h"
#include "ward/model/model.h"
#include "ward/nn/runtime.h"
#include "ward/train/evaluate.h"

namespace ward::cli {
namespace {

std::string& remembered() {
    static std::string text;
    return text;
}

std::string now_utc() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

int64_t peak_memory_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return int64_t{usage.ru_maxrss} * 1024;
}

// Of a card, which goes wherever the model goes: nothing of the machine it was trained on.
std::string training_json(const TrainingOutcome& outcome) {
    const train::TrainOptions& o = outcome.options;
    return nlohmann::ordered_json{{"optimizer", train::optimizer_name(o.optimizer.kind)},
                                  {"learning_rate", o.schedule.learning_rate},
                                  {"schedule", train::schedule_name(o.schedule.kind)},
                                  {"momentum", o.optimizer.momentum},
                                  {"weight_decay", o.optimizer.weight_decay},
                                  {"batch_size", o.batch_size},
                                  {"epochs", o.epochs},
                                  {"steps", outcome.result.steps},
                                  {"ema_decay", o.ema_decay},
                                  {"warmup", o.schedule.warmup_fraction},
                                  {"views", o.augmentation.views},
                                  {"shift", o.augmentation.shift_pixels},
                                  {"flip", o.augmentation.flip_horizontally},
                                  {"precision", outcome.runtime.precision},
                                  {"seed", o.seed},
                                  {"pretrained", !o.pretrained.empty()}}
        .dump();
}

void fill_card(TrainingOutcome& outcome, const std::optional<audit::PrivacyFacts>& privacy) {
    const data::Dataset& data = outcome.loaded.dataset;
    model::ModelCard& card = outcome.result.model.card;
    card.created_by = "ward " WARD_VERSION;
    card.data_name = data.name;
    card.data_digest = local_digest(data.digest);
    card.training_examples = data.size();
    card.class_names = data.class_names;
    card.preprocessing_json = data.preprocessing_json;
    if (privacy) card.privacy_json = audit::to_json(*privacy);
    card.training_json = training_json(outcome);
}

audit::TrainingRecord make_record(const TrainingOutcome& outcome,
                                  const std::optional<audit::PrivacyFacts>& privacy,
                                  const std::optional<audit::Evaluation>& evaluation,
                                  const std::string& file) {
    const data::Dataset& data = outcome.loaded.dataset;
    audit::TrainingRecord record;
    record.created_utc = now_utc();
    record.software = "ward " WARD_VERSION ", LibTorch " + nn::torch_version();
    record.data = {data.name,           local_digest(data.digest),
                   data.size(),         outcome.test ? outcome.test->dataset.size() : 0,
                   data.class_names,    data.bounds_read_from_data,
                   !data.groups.empty()};
    record.model = {outcome.result.model.spec.name,
                    model::parameter_count(outcome.result.model.spec),
                    model::digest(outcome.result.model), file};
    record.privacy = privacy;
    for (const train::CurvePoint& point : outcome.result.curve) {
        record.curve.push_back({point.step, point.epoch, point.epsilon, point.test_accuracy});
    }
    record.evaluation = evaluation;
    record.resources = {outcome.result.seconds, peak_memory_bytes(),  num_threads(),
                        outcome.runtime.device, cpu_features().brand, outcome.runtime.precision};
    record.command = outcome.command;
    return record;
}

std::optional<audit::Evaluation> evaluate(const TrainingOutcome& outcome) {
    if (!outcome.test || outcome.test->dataset.labels.empty()) return std::nullopt;
    nn::Network network(outcome.result.model);
    network.to(outcome.runtime.device);
    network.set_precision(outcome.options.precision);
    const train::Predictions predictions = train::predict(network, outcome.test->dataset);
    return audit::evaluate(predictions.values, predictions.outputs, outcome.test->dataset.labels);
}

void print_json(const audit::TrainingRecord& record, const OutcomeFiles& files, int64_t steps) {
    nlohmann::ordered_json out = {{"model", files.model},
                                  {"record", record_path(files)},
                                  {"steps", steps},
                                  {"seconds", record.resources.seconds}};
    if (record.evaluation) {
        out["test_accuracy"] = record.evaluation->accuracy;
        out["test_base_rate"] = audit::majority_share(record.evaluation->confusion);
        out["test_balanced_accuracy"] = audit::balanced_accuracy(record.evaluation->confusion);
    }
    if (record.privacy) {
        out["epsilon"] = {{"upper", record.privacy->epsilon_upper},
                          {"lower", record.privacy->epsilon_lower},
                          {"rdp", record.privacy->rdp_epsilon}};
        out["delta"] = record.privacy->delta;
        out["unit"] = record.privacy->unit;
        if (record.privacy->unit == "group")
            out["max_per_group"] = record.privacy->max_contributions;
        out["noise_multiplier"] = record.privacy->noise_multiplier;
    }
    out["digest"] = record.model.digest;
    std::cout << out.dump() << "\n";
}

void print_summary(const audit::TrainingRecord& record, const OutcomeFiles& files) {
    if (record.evaluation) {
        const audit::Interval interval =
            audit::wilson_interval(record.evaluation->correct, record.evaluation->examples);
        std::printf("test accuracy  %.2f %%   (95 %% interval %.2f to %.2f, %ld examples)\n",
                    100 * record.evaluation->accuracy, 100 * interval.low, 100 * interval.high,
                    static_cast<long>(record.evaluation->examples));
        std::printf("base rate      %.2f %%   (always guessing the largest class)\n",
                    100 * audit::majority_share(record.evaluation->confusion));
    }
    if (record.privacy) {
        std::printf(
            "privacy        epsilon %.4f at delta %g for each %s%s   (noise multiplier %.4f; the "
            "older\n               Renyi accounting gives the weaker bound %.4f)\n",
            record.privacy->epsilon_upper, record.privacy->delta, record.privacy->unit.c_str(),
            record.privacy->unit == "group"
                ? (" of at most " + std::to_string(record.privacy->max_contributions) + " rows")
                      .c_str()
                : "",
            record.privacy->noise_multiplier, record.privacy->rdp_epsilon);
    } else {
        std::printf("privacy        %s\n", kNoPrivacy);
    }
    if (files.model.empty()) return;
    std::printf("model          %s\nrecord         %s   (ward report turns it into a page)\n",
                files.model.c_str(), record_path(files).c_str());
}

}  // namespace

std::string record_path(const OutcomeFiles& files) {
    if (!files.record.empty() || files.model.empty()) return files.record;
    const std::string ending = ".safetensors";
    const bool usual = files.model.ends_with(ending);
    return files.model.substr(0, files.model.size() - (usual ? ending.size() : 0)) + ".record.json";
}

void remember_command_line(int argc, char** argv) {
    std::string& text = remembered();
    text = "ward";
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const bool plain =
            !argument.empty() && argument.find_first_not_of(
                                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-_=./,:+@%") == std::string::npos;
        text += " ";
        if (plain) {
            text += argument;
            continue;
        }
        text += "'";
        for (char c : argument) text += c == '\'' ? "'\\''" : std::string(1, c);
        text += "'";
    }
}

std::string command_line() { return remembered(); }

std::optional<data::LoadedData> load_test_part(const DataOptions& options,
                                               const data::Dataset& train) {
    try {
        data::LoadRequest request = to_request(options, "test");
        request.preprocessing_json = train.preprocessing_json;
        data::LoadedData test = data::load_dataset(request);
        if (test.dataset.size() == 0) return std::nullopt;
        return test;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kNotFound) throw;
        log_warning("no test data: " + error.message() + "; accuracy is not measured");
        return std::nullopt;
    }
}

std::string group_limit(const data::Dataset& data, const dp::PrivacyPlan& plan) {
    if (data.groups.empty() || plan.settings().unit == dp::PrivacyUnit::kGroup) return {};
    return "all rows of one person (column declared as group) together: the guarantee is for each "
           "single row; for a person with k rows, epsilon is k times as large and delta grows";
}

std::string resume_limit(const std::vector<int64_t>& steps) {
    std::string places;
    for (const int64_t step : steps) places += (places.empty() ? "" : ", ") + std::to_string(step);
    return "the run went on from a checkpoint after step " + places +
           ": the figures are those of this one model; another model finished from a copy of a "
           "checkpoint is another release";
}

void finish_training(TrainingOutcome& outcome, const OutcomeFiles& files) {
    std::optional<audit::PrivacyFacts> privacy;
    if (outcome.result.plan) {
        privacy = audit::privacy_facts(*outcome.result.plan,
                                       outcome.loaded.dataset.bounds_read_from_data);
    }
    if (privacy) {
        const std::string limit = group_limit(outcome.loaded.dataset, *outcome.result.plan);
        if (!limit.empty()) privacy->not_covered.push_back(limit);
        if (!outcome.options.pretrained.empty())
            privacy->not_covered.emplace_back(
                "The examples that the initial weights come from: this run began with a pretrained "
                "model.");
        if (!outcome.result.resumed_at.empty())
            privacy->not_covered.push_back(resume_limit(outcome.result.resumed_at));
    }
    fill_card(outcome, privacy);
    const audit::TrainingRecord record =
        make_record(outcome, privacy, evaluate(outcome), files.model);
    if (!files.model.empty()) model::save_model(outcome.result.model, files.model);
    if (!record_path(files).empty())
        write_file_atomically(record_path(files), std::string_view(audit::to_json(record)));
    // Its work is done; weights from the middle of a run should not lie about.
    if (!files.model.empty() && !outcome.options.checkpoint.empty())
        std::remove(outcome.options.checkpoint.c_str());
    if (files.json) {
        print_json(record, files, outcome.result.steps);
    } else {
        print_summary(record, files);
    }
}

}  // namespace ward::cli
