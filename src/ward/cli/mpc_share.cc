#include "ward/cli/internal/mpc_share.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "ward/cli/internal/data_options.h"
#include "ward/cli/internal/mpc_files.h"
#include "ward/cli/internal/mpc_ids.h"
#include "ward/cli/internal/mpc_tags.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/data/load.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/join.h"
#include "ward/mpc/learn/shared_job.h"

namespace ward::cli {
namespace {

struct Options {
    data::LoadRequest request;
    std::string name;
    std::string id_column;
    std::string rows;  // file of the identifiers to be shared; empty: all
    std::string tags;  // file to be written (mpc_tags.h); empty: none
    std::string domain = "ward mpc share";
    std::vector<std::string> readers;
    std::string folder = ".";
    bool clamp = false;
    bool no_labels = false;
    bool json = false;
};

data::LoadRequest request_of(const Options& options) {
    data::LoadRequest request = options.request;
    request.group = options.id_column;
    request.labels_required = !options.no_labels;
    request.clamp = options.clamp;
    return request;
}

data::Dataset load(const Options& options) {
    data::LoadedData loaded = data::load_dataset(request_of(options));
    log_notes(loaded);
    if (options.no_labels) {
        loaded.dataset.labels.clear();
        loaded.dataset.class_names.clear();
    }
    return std::move(loaded.dataset);
}

mpc::RingMatrix keys_of(const Options& options, const std::vector<std::string>& ids, size_t rows) {
    if (options.id_column.empty()) return mpc::RingMatrix(rows, 0);
    return mpc::hash_identifiers(ids, options.domain, options.request.data);
}

// Which rows of the table are shared, in their order.
struct SharedRows {
    std::vector<std::string> ids;  // none without --id
    std::vector<int64_t> places;   // of the rows in the table, where the order hides them
};

// With --id in the order of hashes, in which joins are faster and which says nothing about what is
// in the rows; with --rows what is to be shared in the order that both owners agreed on.
SharedRows take_rows(const Options& options, data::Dataset& data) {
    if (options.id_column.empty()) return {};
    if (options.request.split != "all") {
        throw Error(ErrorCode::kUsage, "--id goes with the whole table, not with --split");
    }
    const std::vector<std::string> ids = read_ids(request_of(options), options.id_column);
    if (static_cast<int64_t>(ids.size()) != data.size()) {
        throw Error(ErrorCode::kInvalid, options.request.data + " has " +
                                             std::to_string(ids.size()) + " identifiers for " +
                                             std::to_string(data.size()) + " rows");
    }
    SharedRows out;
    std::vector<int64_t> rows;
    if (!options.rows.empty()) {
        rows = rows_of_ids(ids, options.rows, options.id_column);
    } else {
        const std::vector<size_t> order = mpc::rows_by_hash(keys_of(options, ids, ids.size()));
        rows.assign(order.begin(), order.end());
        out.places = rows;
    }
    data = data::select_rows(data, rows);
    for (int64_t row : rows) out.ids.push_back(ids[static_cast<size_t>(row)]);
    return out;
}

mpc::RingMatrix places_of(const SharedRows& rows) {
    mpc::RingMatrix out(rows.places.size(), 1);
    std::copy(rows.places.begin(), rows.places.end(), out.values.begin());
    return out;
}

// One column for two classes, one-hot for more, none without labels.
mpc::RingMatrix labels_of(const data::Dataset& data) {
    const auto rows = static_cast<size_t>(data.size());
    const size_t classes = data.class_names.size();
    if (data.labels.empty() || classes < 2) return mpc::RingMatrix(rows, 0);
    mpc::RingMatrix out(rows, classes == 2 ? 1 : classes);
    std::fill(out.values.begin(), out.values.end(), mpc::Ring{0});
    const mpc::Ring one = mpc::encode_constant(1);
    for (size_t r = 0; r < rows; ++r) {
        const auto label = static_cast<size_t>(data.labels[r]);
        if (classes == 2) {
            out.values[r] = label * one;
        } else {
            out.values[r * classes + label] = one;
        }
    }
    return out;
}

// One random number per row, if they are wanted.
mpc::RingMatrix tags_of(const Options& options, size_t rows, Random& random) {
    mpc::RingMatrix out(rows, options.tags.empty() ? 0 : 1);
    random.fill(std::span<uint64_t>(out.values));
    return out;
}

// In the order of the table.
void keep_tags(const Options& options, const SharedRows& rows, const mpc::RingMatrix& tags) {
    if (options.tags.empty()) return;
    RowTags out = {options.id_column, tag_column_of(options.name), rows.ids, {}};
    out.tags.assign(tags.values.begin(), tags.values.end());
    for (size_t i = 0; i < rows.places.size(); ++i) {
        const auto place = static_cast<size_t>(rows.places[i]);
        out.ids[place] = rows.ids[i];
        out.tags[place] = tags.values[i];
    }
    write_row_tags(out, options.tags);
}

std::string share_path(const Options& options, size_t party) {
    return options.folder + "/" + options.name + "." + std::to_string(party) + ".share";
}

void run_share(const Options& options) {
    if (!options.tags.empty() && std::filesystem::exists(options.tags)) {
        throw Error(
            ErrorCode::kRefused,
            options.tags + " is there: scores of rows that were shared with it are told by it",
            "give --tags another name, or move the file away");
    }
    std::vector<crypto::AgeRecipient> readers;
    for (const std::string& text : options.readers) {
        readers.push_back(crypto::AgeRecipient::parse(text));
    }
    for (size_t i = 0; i < 3; ++i) {
        if (options.readers[i] != options.readers[(i + 1) % 3]) continue;
        throw Error(ErrorCode::kUsage,
                    "--to has one key twice: who holds two parts of the data holds all of it",
                    "give the keys of three parties that do not collude");
    }
    for (size_t i = 0; i < 3; ++i) {
        if (!std::filesystem::exists(share_path(options, i))) continue;
        throw Error(ErrorCode::kIo, share_path(options, i) + " exists: jobs may name its id",
                    "choose another --out folder, or remove the old shares first");
    }
    check_outputs({{"the data", options.request.data},
                   {"--schema", options.request.schema},
                   {"--rows", options.rows}},
                  {{"--tags", options.tags}});
    data::Dataset data = load(options);
    const SharedRows taken = take_rows(options, data);
    const auto rows = static_cast<size_t>(data.size());
    Random random = Random::from_system();
    const mpc::RingMatrix matrices[] = {
        keys_of(options, taken.ids, rows),
        mpc::encode(std::span<const float>(data.inputs), rows,
                    static_cast<size_t>(data.example_size()), data.name),
        labels_of(data), tags_of(options, rows, random),
        taken.places.empty() ? mpc::RingMatrix(rows, 0) : places_of(taken)};
    const auto files = mpc::split_to_files(options.name, about_data(data), matrices, random);
    keep_tags(options, taken, matrices[mpc::kTagsAt]);
    std::filesystem::create_directories(options.folder);
    for (size_t i = 0; i < 3; ++i) seal_share_file(files[i], {readers[i]}, share_path(options, i));
    if (options.json) {
        std::cout << nlohmann::ordered_json{{"name", options.name},
                                            {"id", files[0].id},
                                            {"rows", rows},
                                            {"inputs", matrices[1].cols},
                                            {"label_columns", matrices[2].cols}}
                         .dump()
                  << "\n";
        return;
    }
    std::cout << "- {name: " << options.name << ", id: " << files[0].id << "}\n";
    std::cerr << rows << " rows of " << matrices[1].cols << " inputs"
              << (matrices[2].cols > 0 ? " with labels" : "")
              << "; the line above goes into the job, file i to party i\n";
}

}  // namespace

void add_mpc_share(CLI::App& group) {
    auto* command = group.add_subcommand(
        "share", "Share a data set among three parties: one sealed file for each");
    auto options = std::make_shared<Options>();
    options->request.split = "all";
    command->add_option("data", options->request.data, "Table, array or built-in set")->required();
    command->add_option("--as", options->name, "Name of the owner, as in the job")
        ->required()
        ->check([](const std::string& name) {
            const bool plain = !name.empty() && name.size() <= 64 &&
                               name.find_first_not_of(
                                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                                   "UVWXYZ0123456789_-") == std::string::npos;
            return plain ? std::string() : "a name has letters, digits, _ and -, got " + name;
        });
    command
        ->add_option("--to", options->readers,
                     "Public keys (age1...) of parties 0, 1 and 2, in this order")
        ->required()
        ->expected(3);
    command->add_option("--id", options->id_column,
                        "Column that identifies a person: for alignment, never an input");
    command
        ->add_option("--rows", options->rows,
                     "Only the rows that this file of `ward mpc intersect` names, in its order")
        ->needs("--id");
    command
        ->add_option("--tags", options->tags,
                     "Give every row a random tag and write here whose it is: scores come out "
                     "with the tags. For this owner alone, never for a party")
        ->needs("--id");
    command->add_option("--domain", options->domain,
                        "Name for the hashing of identifiers, equal at all owners");
    command->add_option("--label", options->request.label, "Label column of a table");
    command->add_option("--schema", options->request.schema, "Schema of a table");
    command->add_option("--split", options->request.split, "train, test or all")
        ->check(CLI::IsMember({"train", "test", "all"}));
    command->add_flag("--clamp", options->clamp,
                      "Move values outside the bounds of the schema to the nearest bound, as "
                      "`ward train` does; otherwise they are refused");
    command->add_flag("--no-labels", options->no_labels, "Share the inputs alone");
    command->add_option("--out", options->folder, "Folder for NAME.0.share, .1.share, .2.share");
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "Example:\n  ward mpc share loans.csv --as bank-a --id customer --to age1... age1... "
        "age1...");
    command->callback([options] { run_share(*options); });
}

}  // namespace ward::cli
