#include "ward/cli/internal/mpc_shared.h"

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "ward/cli/internal/mpc_files.h"
#include "ward/cli/internal/mpc_result.h"
#include "ward/cli/internal/mpc_scores.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/cli/internal/passphrase.h"
#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/progress.h"
#include "ward/crypto/aead.h"
#include "ward/mpc/learn/privacy.h"

namespace ward::cli {
namespace {

crypto::ExpectedPeer expected(const mpc::PartyFile::Peer& peer) {
    return {.names = {peer.name}, .pins = {{peer.name, peer.pin}}, .authorities = {}};
}

// The files of the job's owners, in its order.
struct OwnersData {
    std::vector<mpc::ShareFile> files;
    std::vector<std::string> paths;
};

OwnersData load_owners(const mpc::PartyFile& party, const mpc::JobFile& job,
                       const crypto::AgeKeys& keys) {
    OwnersData out;
    std::vector<mpc::ShareFile> found;
    for (const std::string& path : party.shares)
        found.push_back(open_share_file(path, keys, kKeysOfParty));
    for (const mpc::JobFile::Owner& owner : job.owners) {
        size_t i = 0;
        while (i < found.size() && (found[i].name != owner.name || found[i].id != owner.id)) ++i;
        if (i == found.size()) {
            throw Error(ErrorCode::kInvalid,
                        "none of this party's shares is the data of " + owner.name +
                            " with the id in the job",
                        "name the file under shares: in the party file, or ask the owner for it");
        }
        if (found[i].party != party.index) {
            throw Error(ErrorCode::kInvalid, party.shares[i] + " is for party " +
                                                 std::to_string(found[i].party) +
                                                 ", this is party " + std::to_string(party.index));
        }
        out.files.push_back(found[i]);
        out.paths.push_back(party.shares[i]);
    }
    return out;
}

void require_digest(const std::string& digest, const std::string& wanted) {
    if (!wanted.empty() && wanted != digest) {
        throw Error(ErrorCode::kRefused,
                    "the job has the digest " + digest + ", expected " + wanted,
                    "someone has changed the job; ask who wrote it");
    }
    std::cerr << "job " << digest << "\n";
}

std::vector<crypto::AgeRecipient> readers_of(const mpc::JobFile& file) {
    std::vector<crypto::AgeRecipient> out;
    for (const std::string& text : file.recipients) {
        out.push_back(crypto::AgeRecipient::parse(text));
    }
    return out;
}

// Runs `program` with a connected party and tells the others when it fails.
template <typename Program>
void with_party(const mpc::PartyFile& file, const mpc::PartyOptions& options, Program program) {
    const crypto::NetworkIdentity identity = load_party_identity(file);
    mpc::PartyLinks links = connect_party(file, identity);
    mpc::Party party(file.index, std::move(links.previous), std::move(links.next), options);
    try {
        program(party);
    } catch (const std::exception&) {
        party.fail("it has ended with an error of its own");  // its text names own files
        throw;
    }
}

void print_traffic(mpc::Party& party, std::chrono::steady_clock::time_point start, size_t rows,
                   bool json) {
    const net::Traffic traffic = party.ledger().total();
    const nlohmann::ordered_json found = {
        {"rows", rows},
        {"seconds",
         std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()},
        {"bytes_sent", traffic.bytes_sent},
        {"rounds", traffic.rounds}};
    if (json) {
        std::cout << found.dump() << "\n";
        return;
    }
    for (const auto& [name, value] : found.items()) std::cout << name << "  " << value << "\n";
}

struct PredictOptions {
    std::string job, party;
    SharedJobOptions shared;
};

// Before anyone is called: what cannot be written at the end would be computed for nothing.
void check_output(const PredictOptions& options) {
    check_outputs({{"the job", options.job}, {"--party", options.party}},
                  {{"--out", options.shared.out}});
}

// Private training counts on every row being used once in an epoch.
void require_order(const mpc::JobFile& file, const mpc::TrainingJob& job,
                   const mpc::Resumption& resumption) {
    const bool order_is_kept = file.security == mpc::Security::kSemiHonest ||
                               (file.alignment != mpc::Alignment::kVertical && !file.distinct);
    const bool is_private = job.options.clipping_norm > 0;
    if (order_is_kept || !is_private || !resumption.is_in_the_middle()) return;
    throw Error(ErrorCode::kRefused,
                "a private job with security: malicious cannot go on in the middle: joined rows "
                "come in another order at each start, so a row could be used twice in an epoch",
                "nothing was opened: remove the checkpoints of all parties and begin anew");
}

void run_predict(const PredictOptions& options) {
    check_output(options);
    const mpc::PartyFile party_file = mpc::read_party(options.party);
    const mpc::JobFile file = mpc::read_job(options.job);
    if (file.owners.empty()) {
        throw Error(ErrorCode::kInvalid, options.job + " has no owners whose rows are to be scored",
                    "owners share them by `ward mpc share --no-labels`");
    }
    const crypto::AgeKeys keys = load_share_keys(party_file.shares_key);
    const OwnersData data = load_owners(party_file, file, keys);
    const mpc::SharedDataShape shape =
        mpc::require_fit(data.files, data.paths, file.alignment, file.distinct, false);
    const std::vector<size_t> tagged =
        mpc::require_tags(data.files, data.paths, file.alignment, file.distinct);
    const mpc::ShareFile model_file = open_share_file(options.shared.model, keys, kKeysOfParty);
    const SharedModel model = shared_model(model_file, options.shared.model);
    if (model.network.shape.inputs() != shape.features) {
        throw Error(ErrorCode::kInvalid,
                    options.shared.model + " and " + data.paths[0] + ": the model has " +
                        std::to_string(model.network.shape.inputs()) + " inputs, the rows have " +
                        std::to_string(shape.features));
    }
    if (encoding_of_owners(file, data.files) != model.encoding) {
        throw Error(ErrorCode::kInvalid,
                    options.shared.model + " and " + data.paths[0] +
                        ": the model was trained on rows that were encoded in another way: "
                        "columns, their order, bounds or categories differ",
                    "share the rows by the schema of the training, and name several owners in the "
                    "order of its job");
    }
    const std::string digest = sha256_hex("ward mpc predict 1|" + model_file.id + "|" +
                                          mpc::shared_job(file, shape).digest());
    require_digest(digest, options.shared.digest);
    const mpc::PartyOptions party_options = {
        .job = digest, .truncation = file.truncation, .security = file.security};
    with_party(party_file, party_options, [&](mpc::Party& party) {
        const auto start = std::chrono::steady_clock::now();
        const mpc::AlignedData rows =
            mpc::align(party, data.files, file.alignment, file.distinct, mpc::Tags::kKept);
        mpc::SharedMatrix scores = mpc::score_shared(party, model.network, rows.features);
        party.synchronize();
        seal_share_file(scores_result(file, model_file, digest, party_file.index, tagged,
                                      std::move(scores), rows.tags),
                        readers_of(file), options.shared.out);
        print_traffic(party, start, rows.features.rows, options.shared.json);
    });
}

// Each start draws other noise. A party that lets one fail after another has its result would
// gather releases.
void require_first_release(const mpc::StatisticsRequest& request, const std::string& out) {
    if (request.noise_multiplier == 0 || !std::filesystem::exists(out)) return;
    throw Error(ErrorCode::kRefused,
                out + " is there: private statistics that are made again are another release",
                "give the file that is there to the recipients, or another --out if both releases "
                "may be spent");
}

void run_statistics(const PredictOptions& options) {
    check_output(options);
    const mpc::PartyFile party_file = mpc::read_party(options.party);
    const mpc::JobFile file = mpc::read_job(options.job);
    if (file.owners.empty() || !file.statistics) {
        throw Error(ErrorCode::kInvalid, options.job + " has no owners or no statistics",
                    "add owners: and statistics: to the job");
    }
    require_first_release(*file.statistics, options.shared.out);
    const crypto::AgeKeys keys = load_share_keys(party_file.shares_key);
    const OwnersData data = load_owners(party_file, file, keys);
    const mpc::SharedDataShape shape =
        mpc::require_fit(data.files, data.paths, file.alignment, file.distinct, false);
    const std::string digest =
        sha256_hex("ward mpc statistics 1|" + mpc::shared_job(file, shape).digest());
    require_digest(digest, options.shared.digest);
    const mpc::PartyOptions party_options = {
        .job = digest, .truncation = file.truncation, .security = file.security};
    with_party(party_file, party_options, [&](mpc::Party& party) {
        const auto start = std::chrono::steady_clock::now();
        const mpc::AlignedData rows = mpc::align(party, data.files, file.alignment, file.distinct);
        const mpc::SharedStatistics found =
            mpc::column_statistics(party, rows.features, *file.statistics);
        party.verify();
        party.synchronize();
        seal_share_file(statistics_result(file, digest, shape, rows.features.rows, data.files,
                                          party_file.index, found),
                        readers_of(file), options.shared.out);
        print_traffic(party, start, rows.features.rows, options.shared.json);
    });
}

}  // namespace

crypto::NetworkIdentity load_party_identity(const mpc::PartyFile& party) {
    const crypto::KeyDirectory directory(party.keys.empty() ? crypto::KeyDirectory::default_path()
                                                            : party.keys);
    return directory.load(
        party.identity, [] { return read_passphrase(-1, "Passphrase of the party's key", false); });
}

mpc::PartyLinks connect_party(const mpc::PartyFile& party, const crypto::NetworkIdentity& self) {
    net::Listener listener(party.listen);
    return mpc::connect_parties(party.index, listener, party.next_address, self,
                                expected(party.previous), expected(party.next),
                                {.connect_timeout = std::chrono::seconds(party.connect_seconds),
                                 .idle_timeout = std::chrono::seconds(party.silence_seconds)});
}

SecretBytes load_checkpoint_key(const std::string& path) {
    if (!std::filesystem::exists(path)) {
        const SecretBytes key = crypto::Aead::new_key();
        AtomicFile file(path, AtomicFile::Readers::kOwner);
        file.write(key.reveal());
        file.commit();
    }
    Bytes bytes = read_file(path, 4096);
    SecretBytes out(bytes);
    wipe(bytes.data(), bytes.size());
    if (out.size() != crypto::kAeadKeyBytes) {
        throw Error(ErrorCode::kInvalid,
                    path + " must have 32 bytes, got " + std::to_string(out.size()));
    }
    return out;
}

void run_shared_training(const mpc::PartyFile& party_file, const mpc::JobFile& file,
                         const SharedJobOptions& options) {
    if (party_file.shares.empty()) {
        throw Error(ErrorCode::kInvalid, "the job is on data of owners, the party file names none",
                    "add shares: and shares_key: to it");
    }
    if (options.out.empty()) {
        throw Error(ErrorCode::kUsage,
                    "--out is missing: where this party's part of the model goes");
    }
    check_outputs({}, {{"--out", options.out}});
    const crypto::AgeKeys keys = load_share_keys(party_file.shares_key);
    const OwnersData data = load_owners(party_file, file, keys);
    const mpc::SharedDataShape shape =
        mpc::require_fit(data.files, data.paths, file.alignment, file.distinct, true);
    mpc::TrainingJob job = mpc::shared_job(file, shape);
    const std::string digest = job.digest();
    require_digest(digest, options.digest);
    const mpc::PartyOptions party_options = {
        .job = digest, .truncation = file.truncation, .security = file.security};
    SecretBytes key;
    const mpc::CheckpointPlace place = {party_file.checkpoint, &key, digest, party_file.index};
    if (!place.path.empty()) key = load_checkpoint_key(party_file.checkpoint_key);
    with_party(party_file, party_options, [&](mpc::Party& party) {
        const auto start = std::chrono::steady_clock::now();
        const mpc::NetworkWeights initial = mpc::draw_initial_weights(party, job.shape);
        std::optional<mpc::Resumption> resumption;
        if (!place.path.empty()) {
            resumption.emplace(party, place, party_file.checkpoint_steps, job, std::string());
            resumption->restore();
            require_order(file, job, *resumption);
        }
        std::cerr << "aligning the rows of " << data.files.size() << " owners\n";
        const mpc::AlignedData rows = mpc::align(party, data.files, file.alignment, file.distinct);
        job.examples = rows.features.rows;
        std::cerr << job.examples << " rows to train on\n";
        Progress progress("training on shares", job.epochs, "epochs");
        const mpc::SharedNetwork network = mpc::train_shared(
            party, job, initial, rows, [&](int epochs) { progress.update(epochs); },
            resumption ? &*resumption : nullptr);
        party.synchronize();  // nobody writes before all have finished
        progress.finish();
        std::vector<crypto::AgeRecipient> readers = readers_of(file);
        readers.push_back(keys.identities.front().recipient());  // for predictions
        seal_share_file(
            model_result(file, digest, shape, job.examples, data.files, party_file.index, network),
            readers, options.out);
        party.synchronize();  // nobody removes what leads there before all have written
        if (resumption) mpc::end_job(place, job);
        print_traffic(party, start, job.examples, options.json);
    });
}

namespace {

void add_common(CLI::App& command, PredictOptions& options, const char* out) {
    command.add_option("job", options.job, "Job file with owners and recipients")->required();
    command.add_option("--party", options.party, "Party file")->required();
    command.add_option("--out", options.shared.out, out)->required();
    command.add_option("--digest", options.shared.digest, "Refuse a job with another digest");
    command.add_flag("--json", options.shared.json, "Print one JSON object");
}

}  // namespace

void add_mpc_predict(CLI::App& group) {
    auto* command = group.add_subcommand(
        "predict", "Be one of the three parties that score shared rows by a shared model");
    auto options = std::make_shared<PredictOptions>();
    add_common(*command, *options, "Write this party's part of the scores");
    command->add_option("--model", options->shared.model, "This party's part of the model")
        ->required();
    command->footer(
        "Example:\n  ward mpc predict score.yaml --party bank-a.yaml --model model.0.share --out "
        "scores.0.share");
    command->callback([options] { run_predict(*options); });
}

void add_mpc_statistics(CLI::App& group) {
    auto* command = group.add_subcommand(
        "statistics",
        "Be one of the three parties that take means, variances, histograms and "
        "quantiles of shared columns");
    auto options = std::make_shared<PredictOptions>();
    add_common(*command, *options, "Write this party's part of the statistics");
    command->footer(
        "Example:\n  ward mpc statistics job.yaml --party bank-a.yaml --out statistics.0.share");
    command->callback([options] { run_statistics(*options); });
}

}  // namespace ward::cli
