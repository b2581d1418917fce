#include "ward/cli/internal/mpc_result.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "ward/cli/internal/mpc_files.h"
#include "ward/cli/internal/mpc_joint_data.h"
#include "ward/cli/internal/mpc_model.h"
#include "ward/cli/internal/mpc_scores.h"
#include "ward/cli/internal/mpc_share.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/mpc/fixed_point.h"

namespace ward::cli {
namespace {

using Json = nlohmann::ordered_json;

// What a result says about itself: the job's text, and what the data were.
struct About {
    std::string job;
    mpc::SharedDataShape shape;
    size_t rows = 0;
    data::Dataset data;
    std::string encoding;  // encoding_of_owners
};

std::string text_of(const About& about) {
    const Json json = {{"job", about.job},
                       {"rows", about.rows},
                       {"upper_rows", about.shape.rows},
                       {"inputs", about.shape.features},
                       {"label_columns", about.shape.label_columns},
                       {"data", about_data(about.data)},
                       {"encoding", about.encoding}};
    return json.dump();
}

About parse_about(const std::string& text, const std::string& where) {
    try {
        const Json json = Json::parse(text);
        About out;
        out.job = json.at("job").get<std::string>();
        out.rows = json.at("rows").get<size_t>();
        out.shape = {json.at("upper_rows").get<size_t>(), json.at("inputs").get<size_t>(),
                     json.at("label_columns").get<size_t>()};
        out.encoding = json.at("encoding").get<std::string>();
        out.data = data_from_about(json.at("data").get<std::string>(), where);
        return out;
    } catch (const nlohmann::json::exception&) {
        throw Error(ErrorCode::kCorrupt, where + ": what it says about itself is not complete");
    }
}

std::string names_of(const mpc::JobFile& file) {
    std::string out;
    for (const mpc::JobFile::Owner& owner : file.owners) {
        out += (out.empty() ? "" : " and ") + owner.name;
    }
    return out;
}

// One object per column, with the privacy statement where there is one.
std::string statistics_json(const About& about, const std::vector<mpc::RingMatrix>& matrices) {
    const mpc::JobFile file = mpc::parse_job(about.job, "the job of the result");
    if (!file.statistics || matrices.size() != 4) {
        throw Error(ErrorCode::kCorrupt, "the result is not that of a statistics job");
    }
    const mpc::StatisticsRequest& request = *file.statistics;
    const auto columns = mpc::read_statistics(matrices[0], matrices[1], matrices[2], matrices[3],
                                              about.rows, request);
    Json list = Json::array();
    for (size_t c = 0; c < columns.size(); ++c) {
        const auto& names = about.data.feature_names;
        Json column = {{"column", c < names.size() ? names[c] : std::to_string(c)},
                       {"mean", columns[c].mean},
                       {"variance", columns[c].variance}};
        if (!request.edges.empty()) column["counts"] = columns[c].counts;
        if (!request.quantiles.empty()) column["quantiles"] = columns[c].quantiles;
        list.push_back(std::move(column));
    }
    Json out = {{"rows", about.rows}, {"edges", request.edges}, {"columns", list}};
    if (request.noise_multiplier > 0) {
        const double epsilon =
            mpc::statistics_epsilon(request.noise_multiplier, file.statistics_delta);
        out["privacy"] = {
            {"epsilon", epsilon},
            {"delta", file.statistics_delta},
            {"statement",
             std::string("all figures together are differentially private for one row replaced by "
                         "one that adds nothing, against who sees them and one party ") +
                 (file.security == mpc::Security::kMalicious ? "that may deviate"
                                                             : "that follows the protocol") +
                 "; the number of rows is public"}};
    }
    return out.dump(2) + "\n";
}

mpc::TrainingJob job_of_about(const About& about) {
    return mpc::shared_job(mpc::parse_job(about.job, "the job of the result"), about.shape);
}

// Weights, then biases, of a model file.
mpc::NetworkWeights network_of(const mpc::NetworkShape& shape,
                               std::vector<mpc::RingMatrix> matrices) {
    mpc::NetworkWeights out = mpc::zero_weights(shape);
    const size_t layers = out.weights.size();
    bool fits = matrices.size() == 2 * layers;
    for (size_t l = 0; fits && l < layers; ++l) {
        fits = matrices[l].rows == out.weights[l].rows && matrices[l].cols == out.weights[l].cols &&
               matrices[layers + l].size() == out.biases[l].size();
    }
    if (!fits) throw Error(ErrorCode::kCorrupt, "the weights are not those of the job's network");
    for (size_t l = 0; l < layers; ++l) {
        out.weights[l] = std::move(matrices[l]);
        out.biases[l] = std::move(matrices[layers + l]);
    }
    return out;
}

void reveal_model(const About& about, std::vector<mpc::RingMatrix> matrices,
                  const std::string& name, const std::string& out) {
    mpc::TrainingJob job = job_of_about(about);
    job.examples = about.rows;
    data::Dataset data = about.data;
    data.name = name;
    if (data.class_names.size() < 2) data.class_names = {"0", "1"};
    save_job_model(job, mpc::parse_job(about.job, "the job of the result").security,
                   network_of(job.shape, std::move(matrices)), data, out);
    std::cout << "model of " << about.rows << " rows of " << about.shape.features << " inputs in "
              << out << "\n";
}

// A result under the file name of another kind would be taken for it.
void require_name(const std::string& kind, const std::string& path) {
    const std::string ending = kind == "model"    ? ".safetensors"
                               : kind == "scores" ? ".csv"
                                                  : ".json";
    const std::string found = std::filesystem::path(path).extension();
    if (found == ending || (found != ".safetensors" && found != ".csv" && found != ".json")) return;
    throw Error(ErrorCode::kUsage,
                "parts of the kind " + kind + " do not go into a " + found + " file",
                "--out NAME" + ending);
}

struct RevealOptions {
    std::vector<std::string> files;
    std::string identity;
    std::string tags;
    std::string out;
};

void run_reveal(const RevealOptions& options) {
    std::vector<NamedPath> inputs = {{"--identity", options.identity}, {"--tags", options.tags}};
    for (const std::string& path : options.files) inputs.push_back({"a share", path});
    check_outputs(inputs, {{"--out", options.out}});
    const crypto::AgeKeys keys = load_share_keys(options.identity);
    std::vector<mpc::ShareFile> files;
    for (const std::string& path : options.files)
        files.push_back(open_share_file(
            path, keys, "--identity takes the key file of a recipient that the job names"));
    if (files.front().kind == "data") {
        throw Error(ErrorCode::kRefused, options.files.front() + " has rows of an owner",
                    "only results are revealed");
    }
    require_name(files.front().kind, options.out);
    const bool scores = files.front().kind == "scores";
    if (!options.tags.empty() && !scores) {
        throw Error(ErrorCode::kUsage, "--tags goes with scores, got a " + files.front().kind);
    }
    std::vector<mpc::RingMatrix> matrices = mpc::combine(files);
    const About about = parse_about(files.front().about, options.files.front());
    if (files.front().kind == "model") {
        return reveal_model(about, std::move(matrices), files.front().name, options.out);
    }
    const std::string text =
        scores ? score_table(files.front().about, about.data.class_names, matrices, options.tags)
               : statistics_json(about, matrices);
    AtomicFile out(options.out, AtomicFile::Readers::kOwner);
    out.write(text);
    out.commit();
    const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
    std::cout << files.front().kind << " of " << (scores ? lines - 1 : about.rows) << " rows in "
              << options.out << "\n";
}

}  // namespace

std::string encoding_of_owners(const mpc::JobFile& file, std::span<const mpc::ShareFile> owners) {
    Sha256 hash;
    const bool beside = file.alignment != mpc::Alignment::kHorizontal;
    for (const mpc::ShareFile& owner : owners.first(beside ? owners.size() : 1)) {
        hash.update(input_encoding(data_from_about(owner.about, owner.name)) + "\n");
    }
    return hash.hex();
}

mpc::ShareFile statistics_result(const mpc::JobFile& file, const std::string& digest,
                                 const mpc::SharedDataShape& shape, size_t rows,
                                 std::span<const mpc::ShareFile> owners, int party,
                                 const mpc::SharedStatistics& statistics) {
    return mpc::result_file(
        "statistics", names_of(file), digest,
        text_of(
            {file.text, shape, rows, joint_data(file, owners), encoding_of_owners(file, owners)}),
        party, {statistics.sums, statistics.square_sums, statistics.counts, statistics.quantiles});
}

mpc::ShareFile model_result(const mpc::JobFile& file, const std::string& digest,
                            const mpc::SharedDataShape& shape, size_t rows,
                            std::span<const mpc::ShareFile> owners, int party,
                            const mpc::SharedNetwork& network) {
    std::vector<mpc::SharedMatrix> matrices = network.weights;
    matrices.insert(matrices.end(), network.biases.begin(), network.biases.end());
    return mpc::result_file("model", names_of(file), digest,
                            text_of({file.text, shape, rows, joint_data(file, owners),
                                     encoding_of_owners(file, owners)}),
                            party, std::move(matrices));
}

SharedModel shared_model(const mpc::ShareFile& file, const std::string& path) {
    if (file.kind != "model") {
        throw Error(ErrorCode::kInvalid,
                    path + " is a file of " + file.kind + ", expected a model");
    }
    SharedModel out;
    const About about = parse_about(file.about, path);
    out.job = job_of_about(about);
    out.encoding = about.encoding;
    out.network.shape = out.job.shape;
    const mpc::NetworkWeights like = mpc::zero_weights(out.job.shape);
    const size_t layers = like.weights.size();
    if (file.matrices.size() != 2 * layers) {
        throw Error(ErrorCode::kCorrupt, path + ": not the matrices of the job's network");
    }
    for (size_t i = 0; i < 2 * layers; ++i) {
        (i < layers ? out.network.weights : out.network.biases).push_back(file.matrices[i]);
    }
    return out;
}

void add_mpc_reveal(CLI::App& group) {
    auto* command = group.add_subcommand(
        "reveal",
        "Put the parts of a model, of scores or statistics together, for who may have them");
    auto options = std::make_shared<RevealOptions>();
    command->add_option("files", options->files, "Two or all three parts; three are compared")
        ->required()
        ->expected(2, 3);
    command->add_option("-i,--identity", options->identity, "Key file of a recipient of the job")
        ->required();
    command->add_option("--tags", options->tags,
                        "File of an owner (`ward mpc share --tags`): scores name its rows");
    command
        ->add_option("--out", options->out,
                     "Model (.safetensors), scores (.csv) or statistics (.json)")
        ->required();
    command->footer(
        "Example:\n  ward mpc reveal model.0.share model.1.share model.2.share -i key.txt --out "
        "model.safetensors");
    command->callback([options] { run_reveal(*options); });
}

}  // namespace ward::cli
