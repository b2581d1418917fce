#include "ward/cli/internal/mpc_node.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ward/cli/internal/data_options.h"
#include "ward/cli/internal/mpc_model.h"
#include "ward/cli/internal/mpc_shared.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/crypto/identity.h"
#include "ward/data/load.h"
#include "ward/mpc/connect.h"
#include "ward/mpc/learn/job.h"
#include "ward/mpc/learn/job_file.h"
#include "ward/mpc/learn/party_file.h"

namespace ward::cli {
namespace {

struct Options {
    std::string party;
    std::string job;
    std::string out;
    std::string digest;
    bool json = false;
};

// What the party brings, if anything; checked against the job before anyone is called.
std::optional<data::Dataset> load_own(const mpc::PartyFile& party, const mpc::JobFile& file,
                                      const mpc::TrainingJob& job) {
    const bool owner = party.index == job.input_owner || party.index == job.label_owner;
    if (party.data.empty()) {
        if (!owner) return std::nullopt;
        throw Error(ErrorCode::kUsage,
                    "the job says that party " + std::to_string(party.index) + " brings data",
                    "name it in the party file: data: PATH");
    }
    data::LoadRequest request;
    request.data = party.data;
    request.label = file.label;
    request.schema = file.schema;
    data::LoadedData loaded = data::load_dataset(request);
    log_notes(loaded);
    data::Dataset set = std::move(loaded.dataset);
    if (static_cast<size_t>(set.size()) == job.examples &&
        static_cast<size_t>(set.example_size()) == job.shape.inputs()) {
        return set;
    }
    throw Error(ErrorCode::kInvalid, party.data + " has " + std::to_string(set.size()) +
                                         " examples of " + std::to_string(set.example_size()) +
                                         " inputs, the job says " + std::to_string(job.examples) +
                                         " of " + std::to_string(job.shape.inputs()));
}

mpc::JobResult take_part(mpc::Party& party, const mpc::PartyFile& file, const mpc::TrainingJob& job,
                         const data::Dataset* data) {
    const mpc::NetworkWeights initial = mpc::draw_initial_weights(party, job.shape);
    SecretBytes key;
    mpc::Checkpointing checkpointing;
    if (!file.checkpoint.empty()) {
        key = load_checkpoint_key(file.checkpoint_key);
        checkpointing = {{file.checkpoint, &key, job.digest(), file.index}, file.checkpoint_steps};
    }
    Progress progress("training on shares", job.epochs, "epochs");
    mpc::JobResult result = mpc::train(
        party, job, initial, data, [&](int epochs) { progress.update(epochs); },
        file.checkpoint.empty() ? nullptr : &checkpointing);
    progress.finish();
    return result;
}

void run_node(const Options& options) {
    check_outputs({{"the job", options.job}, {"--party", options.party}}, {{"--out", options.out}});
    const mpc::PartyFile party_file = mpc::read_party(options.party);
    const mpc::JobFile job_file = mpc::read_job(options.job);
    if (!job_file.owners.empty()) {
        run_shared_training(party_file, job_file,
                            {options.out, options.digest, std::string(), options.json});
        return;
    }
    const mpc::TrainingJob job = mpc::public_job(job_file);
    if (!options.digest.empty() && options.digest != job.digest()) {
        throw Error(ErrorCode::kRefused,
                    "the job has the digest " + job.digest() + ", expected " + options.digest,
                    "someone has changed the job; ask who wrote it");
    }
    const std::optional<data::Dataset> own = load_own(party_file, job_file, job);
    if (!options.out.empty() && !own) {
        throw Error(ErrorCode::kUsage, "--out needs the data of this party for the model's card",
                    "the parties that bring data get the model");
    }
    const crypto::NetworkIdentity identity = load_party_identity(party_file);
    std::cerr << "job " << job.digest() << "\n";
    mpc::PartyLinks links = connect_party(party_file, identity);
    mpc::Party party(
        party_file.index, std::move(links.previous), std::move(links.next),
        {.job = job.digest(), .truncation = job_file.truncation, .security = job_file.security});
    mpc::JobResult result;
    try {
        result = take_part(party, party_file, job, own ? &*own : nullptr);
        party.synchronize();  // nobody writes before all have finished
        if (!options.out.empty())
            save_job_model(job, job_file.security, result.network, *own, options.out);
        party.synchronize();  // nobody removes what leads there before all have written
    } catch (const std::exception& error) {
        party.fail("it has ended with an error of its own");  // its text names own files
        throw;
    }
    if (!party_file.checkpoint.empty()) {
        mpc::end_job({party_file.checkpoint, nullptr, {}, party_file.index}, job);
    }
    nlohmann::ordered_json found = {{"seconds", result.seconds},
                                    {"bytes_sent", result.traffic.bytes_sent},
                                    {"rounds", result.traffic.rounds}};
    if (own) found["train_accuracy"] = mpc::accuracy(result.network, *own);
    if (options.json) {
        std::cout << found.dump() << "\n";
        return;
    }
    for (const auto& [name, value] : found.items()) std::cout << name << "  " << value << "\n";
}

}  // namespace

void add_mpc_node(CLI::App& group) {
    auto* command = group.add_subcommand(
        "node", "Be one of the three parties of a job, over TLS (train is the same)");
    command->alias("train");
    auto options = std::make_shared<Options>();
    command->add_option("job", options->job, "Job file, the same at all parties")->required();
    command->add_option("--party", options->party, "Party file (YAML; keys in docs/mpc.md)")
        ->required();
    command->add_option("--out", options->out,
                        "Write the revealed model to this .safetensors; with owners in "
                        "the job, this party's part of the model");
    command->add_option("--digest", options->digest, "Refuse a job with another digest");
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "Example:\n  ward mpc node job.yaml --party bank-a.yaml --out model.safetensors");
    command->callback([options] { run_node(*options); });
}

}  // namespace ward::cli
