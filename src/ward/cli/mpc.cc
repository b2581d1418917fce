// `ward mpc`: train on shares among three parties.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/data_options.h"
#include "ward/cli/internal/mpc_model.h"
#include "ward/cli/internal/mpc_node.h"
#include "ward/cli/internal/mpc_share.h"
#include "ward/cli/internal/mpc_shared.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/data/load.h"
#include "ward/mpc/learn/forecast.h"
#include "ward/mpc/learn/job.h"
#include "ward/mpc/learn/job_file.h"
#include "ward/mpc/learn/privacy.h"
#include "ward/mpc/local.h"

namespace ward::cli {
namespace {

struct Options {
    std::string job;
    std::string out;
    bool json = false;
    bool twin = true;
};

struct Outcome {
    mpc::JobResult result;
    uint64_t bytes_of_all = 0;
};

data::Dataset load_part(const mpc::JobFile& file, const char* split) {
    if (file.data.empty()) {
        throw Error(ErrorCode::kInvalid, "the job has no data: for this machine",
                    "jobs on data of owners or parties run by `ward mpc train` at three parties");
    }
    data::LoadRequest request;
    request.data = file.data;
    request.split = split;
    request.label = file.label;
    request.schema = file.schema;
    data::LoadedData loaded = data::load_dataset(request);
    log_notes(loaded);
    return std::move(loaded.dataset);
}

Outcome train_locally(const mpc::JobFile& file, const mpc::TrainingJob& job,
                      const mpc::NetworkWeights& initial, const data::Dataset& train_set) {
    Outcome out;
    std::array<mpc::JobResult, 3> results;
    Progress progress("training on shares", job.epochs, "epochs");
    mpc::run_local(
        [&](mpc::Party& party) {
            const bool first = party.index() == 0;
            const auto show = [&](int epochs) {
                if (first) progress.update(epochs);
            };
            results[static_cast<size_t>(party.index())] =
                mpc::train(party, job, initial, first ? &train_set : nullptr, show);
        },
        {.job = job.digest(), .truncation = file.truncation, .security = file.security});
    progress.finish();
    for (const auto& result : results) out.bytes_of_all += result.traffic.bytes_sent;
    out.result = std::move(results[0]);
    return out;
}

void run_mpc_local(const Options& options) {
    const mpc::JobFile file = mpc::read_job(options.job);
    check_outputs({{"the job", options.job}}, {{"--out", options.out}});
    const data::Dataset train_set = load_part(file, "train"), test_set = load_part(file, "test");
    mpc::TrainingJob job = mpc::job_for(file, train_set);
    job.input_owner = job.label_owner = 0;  // all of it is on this machine
    Random random = Random::from_system();
    const mpc::NetworkWeights initial = mpc::initial_weights(job.shape, random);
    const Outcome outcome = train_locally(file, job, initial, train_set);
    if (!options.out.empty()) {
        save_job_model(job, file.security, outcome.result.network, train_set, options.out);
    }
    nlohmann::ordered_json found = {{"accuracy", mpc::accuracy(outcome.result.network, test_set)}};
    if (options.twin) {
        mpc::Twin twin(random.split());
        found["twin_accuracy"] =
            mpc::accuracy(mpc::train_twin(twin, job, initial, train_set), test_set);
    }
    found["seconds"] = outcome.result.seconds;
    found["bytes_per_party"] = outcome.bytes_of_all / 3;
    found["rounds"] = outcome.result.traffic.rounds;
    if (job.options.clipping_norm > 0) {
        found["epsilon"] = mpc::privacy_plan(job).epsilon().upper;
        found["delta"] = job.delta;
    }
    if (options.json) {
        std::cout << found.dump() << "\n";
        return;
    }
    std::printf("accuracy      %.2f %%   (%ld test examples)\n",
                100 * found["accuracy"].get<double>(), static_cast<long>(test_set.size()));
    if (options.twin) {
        std::printf("in the clear  %.2f %%   (the same arithmetic without parties)\n",
                    100 * found["twin_accuracy"].get<double>());
    }
    if (found.contains("epsilon")) {
        std::printf("privacy       epsilon %.3g, delta %.1e\n", found["epsilon"].get<double>(),
                    job.delta);
    }
    std::printf("time          %.1f s\nsent          %.1f MB per party in %lu rounds\n",
                outcome.result.seconds, static_cast<double>(outcome.bytes_of_all) / 3e6,
                static_cast<unsigned long>(outcome.result.traffic.rounds));
}

void add_local(CLI::App& group) {
    auto* command = group.add_subcommand(
        "local", "Three parties as threads of this machine: try a job out (no secrecy)");
    auto options = std::make_shared<Options>();
    command->add_option("job", options->job, "Job file (YAML; keys in docs/mpc.md)")->required();
    command->add_option("--out", options->out, "Write the revealed model to this .safetensors");
    command->add_flag("--json", options->json, "Print one JSON object");
    command->add_flag("--twin,!--no-twin", options->twin,
                      "Also train in the clear with the same arithmetic");
    command->footer(
        "Examples:\n  ward mpc local job.yaml\n  ward mpc local job.yaml --out model.safetensors "
        "--json");
    command->callback([options] { run_mpc_local(*options); });
}

mpc::TrainingJob job_to_forecast(const mpc::JobFile& file, const mpc::SharedDataShape& shape) {
    if (file.owners.empty()) {
        return file.examples > 0 ? mpc::public_job(file)
                                 : mpc::job_for(file, load_part(file, "train"));
    }
    if (file.statistics) {
        throw Error(ErrorCode::kUnsupported,
                    "forecasts are of trainings, this is a job of statistics");
    }
    if (shape.rows == 0 || shape.features == 0) {
        throw Error(ErrorCode::kUsage, "a job with owners does not say how much data they have",
                    "give --rows and --inputs as `ward mpc share` printed them");
    }
    if (shape.rows < file.options.batch_size) {
        throw Error(ErrorCode::kInvalid, "--rows " + std::to_string(shape.rows) +
                                             " are fewer than a batch of " +
                                             std::to_string(file.options.batch_size));
    }
    return mpc::shared_job(file, shape);
}

void add_forecast(CLI::App& group) {
    auto* command = group.add_subcommand("forecast", "What a job will cost, before it runs");
    struct ForecastOptions {
        std::string job;
        double rtt_ms = 0, mbit = 0;
        mpc::SharedDataShape shape = {.rows = 0, .features = 0, .label_columns = 1};
        bool json = false;
    };
    auto options = std::make_shared<ForecastOptions>();
    command->add_option("job", options->job, "Job file (YAML; keys in docs/mpc.md)")->required();
    command->add_option("--rtt-ms", options->rtt_ms, "Round-trip time between parties")
        ->check(CLI::Range(0.0, 1e9));
    command->add_option("--mbit", options->mbit, "Mbit/s of each party's link; 0: no limit")
        ->check(CLI::Range(0.0, 1e9));
    command
        ->add_option("--rows", options->shape.rows,
                     "Of a job with owners: rows to train on. Sharing and alignment are not "
                     "counted, and rounds come out some percent high")
        ->check(CLI::Range(1, 1'000'000'000));
    command->add_option("--inputs", options->shape.features, "Likewise: inputs of all owners")
        ->check(CLI::Range(1, 1'000'000));
    command
        ->add_option("--label-columns", options->shape.label_columns,
                     "Likewise: 1 for two classes, else the classes")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "Examples:\n  ward mpc forecast job.yaml --rtt-ms 20 --mbit 1000\n"
        "  ward mpc forecast owners.yaml --rows 30000 --inputs 40");
    command->callback([options] {
        const mpc::JobFile file = mpc::read_job(options->job);
        const mpc::TrainingJob job = job_to_forecast(file, options->shape);
        const mpc::Forecast cost =
            mpc::forecast(job, {.truncation = file.truncation, .security = file.security});
        const double seconds = cost.seconds({.round_trip_seconds = options->rtt_ms / 1000,
                                             .bytes_per_second = options->mbit * 125'000});
        if (options->json) {
            std::cout << nlohmann::ordered_json{{"steps", cost.steps},
                                                {"bytes_per_party", cost.bytes_per_party},
                                                {"rounds", cost.rounds},
                                                {"seconds", seconds}}
                             .dump()
                      << "\n";
            return;
        }
        std::printf("steps  %llu\nsent   %.1f MB per party in %.0f rounds\n",
                    static_cast<unsigned long long>(cost.steps), cost.bytes_per_party / 1e6,
                    cost.rounds);
        if (options->rtt_ms > 0 || options->mbit > 0) {
            std::printf("time   about %.0f s on the network\n", seconds);
        } else {
            std::printf("time   give --rtt-ms and --mbit of the links\n");
        }
    });
}

}  // namespace

void add_mpc_command(CLI::App& app) {
    auto* group = app.add_subcommand("mpc", "Train among three parties that see only shares");
    group->require_subcommand(1);
    group->footer(
        "On one machine, to try a job out:   forecast, local\n"
        "Parties that bring data themselves: node (or train) at each\n"
        "Owners that are no party:           share, train at each party, reveal; then predict\n"
        "Keys of job and party files: docs/mpc.md. Examples:\n"
        "  ward mpc local job.yaml\n"
        "  ward mpc train job.yaml --party bank-a.yaml --out model.safetensors");
    add_local(*group);
    add_forecast(*group);
    add_mpc_node(*group);
    add_mpc_intersect(*group);
    add_mpc_share(*group);
    add_mpc_predict(*group);
    add_mpc_statistics(*group);
    add_mpc_reveal(*group);
}

}  // namespace ward::cli
