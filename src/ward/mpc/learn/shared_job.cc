#include "ward/mpc/learn/shared_job.h"

#include <algorithm>
#include <array>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/seed_stream.h"
#include "ward/mpc/clip.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/internal/join_keys.h"
#include "ward/mpc/join.h"
#include "ward/mpc/learn/internal/batches.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"
#include "ward/mpc/sort.h"

namespace ward::mpc {
namespace {

constexpr size_t kMatricesOfData = 5;
constexpr size_t kLeastMatrices = 3;  // of files from before there were tags and places
constexpr size_t kScoredRows = 1024;  // at a time

// Two files that do not go together, or one that stands for itself.
[[noreturn]] void misfit(const std::string& what, const std::string& path,
                         const std::string& other = {}) {
    throw Error(ErrorCode::kInvalid,
                other.empty() ? path + ": " + what : path + " and " + other + ": " + what,
                "the owners must share their data anew, or the job must name other owners");
}

bool has(const ShareFile& file, size_t matrix) {
    return file.matrices.size() > matrix && file.matrices[matrix].cols > 0;
}
bool has_tags(const ShareFile& file) { return has(file, kTagsAt); }

void require_data(const ShareFile& file, const std::string& path) {
    const size_t matrices = file.matrices.size();
    if (file.kind != "data" || matrices < kLeastMatrices || matrices > kMatricesOfData) {
        misfit("is a file of " + file.kind + ", expected data", path);
    }
    const size_t rows = file.matrices[kFeaturesAt].rows;
    if (rows == 0 || file.matrices[kFeaturesAt].cols == 0) misfit("has no rows or columns", path);
    for (const SharedMatrix& matrix : file.matrices) {
        if (matrix.rows != rows) misfit("its matrices have different numbers of rows", path);
    }
    const size_t keys = file.matrices[kKeysAt].cols;
    if (keys != 0 && keys != kKeyColumns) misfit("its keys have another form", path);
    for (size_t at : {kTagsAt, kPlacesAt}) {
        if (has(file, at) && file.matrices[at].cols != 1) {
            misfit("its tags or places have another form", path);
        }
    }
}

std::string count_text(size_t count, const char* what) {
    return std::to_string(count) + " " + what;
}

void require_keys(std::span<const ShareFile> files, std::span<const std::string> paths) {
    for (size_t i = 0; i < files.size(); ++i) {
        if (files[i].matrices[kKeysAt].cols == kKeyColumns) continue;
        misfit("has no identifiers to align by; share it with --id", paths[i]);
    }
}

void require_as_many_rows(std::span<const ShareFile> files, std::span<const std::string> paths) {
    const auto rows = [&](size_t i) { return files[i].matrices[kFeaturesAt].rows; };
    for (size_t i = 1; i < files.size(); ++i) {
        if (rows(i) == rows(0)) continue;
        misfit(
            "have " + count_text(rows(0), "and ") + count_text(rows(i), "rows, expected as many"),
            paths[0], paths[i]);
    }
}

void require_horizontal(std::span<const ShareFile> files, std::span<const std::string> paths) {
    const auto cols = [&](size_t i, size_t at) { return files[i].matrices[at].cols; };
    for (size_t i = 1; i < files.size(); ++i) {
        if (cols(i, kFeaturesAt) != cols(0, kFeaturesAt)) {
            misfit("have " + count_text(cols(0, kFeaturesAt), "and ") +
                       count_text(cols(i, kFeaturesAt), "inputs, expected as many"),
                   paths[0], paths[i]);
        }
        if (cols(i, kLabelsAt) != cols(0, kLabelsAt)) {
            misfit("have labels of " + count_text(cols(0, kLabelsAt), "and ") +
                       count_text(cols(i, kLabelsAt), "columns, expected the same classes"),
                   paths[0], paths[i]);
        }
        if (files[i].about != files[0].about) {
            misfit("were encoded in different ways: columns, classes or scaling differ", paths[0],
                   paths[i]);
        }
    }
}

// The one owner with labels, or files.size().
size_t owner_of_labels(std::span<const ShareFile> files, std::span<const std::string> paths) {
    size_t owner = files.size();
    for (size_t i = 0; i < files.size(); ++i) {
        if (files[i].matrices[kLabelsAt].cols == 0) continue;
        if (owner < files.size()) {
            misfit("both bring labels, expected one owner with labels", paths[owner], paths[i]);
        }
        owner = i;
    }
    return owner;
}

SharedMatrix beside(std::span<const SharedMatrix> parts) {
    std::vector<SharedMatrix> some;
    for (const SharedMatrix& part : parts) {
        if (part.cols > 0) some.push_back(part);
    }
    return stack_columns(some);
}

// What an owner brings into an alignment, beside one another: keys if they are needed, features,
// labels, and tags if they are kept.
SharedMatrix table_of(const ShareFile& file, bool with_keys, Tags tags) {
    const std::span<const SharedMatrix> all = file.matrices;
    const size_t end = tags == Tags::kKept ? std::min(all.size(), kPlacesAt) : kTagsAt;
    const size_t begin = with_keys ? kKeysAt : kFeaturesAt;
    return beside(all.subspan(begin, end - begin));
}

// Aligned rows taken apart: the columns of owner 0, of owner 1, ... as table_of has put them.
AlignedData columns_of_owners(std::span<const ShareFile> files, const SharedMatrix& rows,
                              Tags tags) {
    std::vector<SharedMatrix> features, marks;
    AlignedData out;
    out.labels = out.tags = SharedMatrix(rows.rows, 0);
    size_t at = 0;
    const auto next = [&](size_t count) {
        at += count;
        return select_columns(rows, at - count, count);
    };
    for (const ShareFile& file : files) {
        features.push_back(next(file.matrices[kFeaturesAt].cols));
        if (const size_t labels = file.matrices[kLabelsAt].cols; labels > 0) {
            out.labels = next(labels);
        }
        if (tags == Tags::kKept && has_tags(file)) marks.push_back(next(1));
    }
    out.features = stack_columns(features);
    if (!marks.empty()) out.tags = stack_columns(marks);
    return out;
}

std::vector<std::string> names_of(std::span<const ShareFile> files) {
    std::vector<std::string> out;
    for (const ShareFile& file : files) out.push_back(file.name);
    return out;
}

AlignedData align_vertically(Party& party, std::span<const ShareFile> files, Tags tags) {
    std::vector<SharedMatrix> tables;
    for (const ShareFile& file : files) tables.push_back(table_of(file, true, tags));
    return columns_of_owners(
        files, open_count_and_keep(party, inner_join(party, tables, names_of(files))), tags);
}

// The sum of coefficient times (hash of owner 0 - hash of this owner) over all rows.
void subtract_keys(SharedMatrix& sums, size_t at, const ShareFile& first, const ShareFile& other,
                   SeedStream& coefficients) {
    const SharedMatrix &a = first.matrices[kKeysAt], &b = other.matrices[kKeysAt];
    std::array<uint64_t, SeedStream::kBlockWords> block{};
    for (size_t i = 0; i < a.size(); ++i) {
        if (i % block.size() == 0) coefficients.next_block(block);
        const Ring factor = block[i % block.size()];
        sums.first[at] += factor * (a.first[i] - b.first[i]);
        sums.second[at] += factor * (a.second[i] - b.second[i]);
    }
}

void require_same_people(Party& party, std::span<const ShareFile> files) {
    Sha256 hash;
    hash.update("ward mpc rows of the same people");
    for (const ShareFile& file : files) hash.update("|" + file.id);
    const std::string digest = hash.hex();
    PublicSeed seed;  // 32 of the 64 digits: 128 bits of the digest
    std::copy_n(digest.begin(), seed.size(), seed.begin());
    SeedStream coefficients(seed, 0);
    SharedMatrix sums(1, files.size() - 1);
    for (RingVector* sum : {&sums.first, &sums.second})
        std::fill(sum->begin(), sum->end(), Ring{0});
    for (size_t i = 1; i < files.size(); ++i) {
        subtract_keys(sums, i - 1, files[0], files[i], coefficients);
    }
    // Only whether a sum is 0: the sum itself is known by its coefficients to anyone who tries out
    // short identifiers.
    const RingVector same = open(party, internal::is_zero(party, sums));
    for (size_t i = 1; i < files.size(); ++i) {
        if ((same[(i - 1) / 64] >> ((i - 1) % 64) & 1) != 0) continue;
        throw Error(
            ErrorCode::kInvalid,
            "rows of " + files[0].name + " and " + files[i].name +
                " are of different people, or in another order",
            "both must share with --rows and the files that one `ward mpc intersect` wrote");
    }
}

AlignedData put_side_by_side(Party& party, std::span<const ShareFile> files, Tags tags) {
    require_same_people(party, files);
    std::vector<SharedMatrix> columns;
    for (const ShareFile& file : files) columns.push_back(table_of(file, false, tags));
    return columns_of_owners(files, stack_columns(columns), tags);
}

// The owner's rows in the order of its table.
SharedMatrix in_order(Party& party, const ShareFile& file, SharedMatrix table) {
    if (!has(file, kPlacesAt)) return table;
    try {
        return rows_at_places(party, file.matrices[kPlacesAt], table);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kInvalid) throw;
        throw Error(ErrorCode::kInvalid, "the table of " + file.name + ": " + error.message(),
                    "its owner must share it anew");
    }
}

AlignedData align_horizontally(Party& party, std::span<const ShareFile> files, bool distinct,
                               Tags tags) {
    const Tags order = tags;
    if (!std::all_of(files.begin(), files.end(), has_tags)) tags = Tags::kDropped;
    std::vector<SharedMatrix> tables;
    const bool ordered = order == Tags::kKept && !distinct;
    for (const ShareFile& file : files) {
        SharedMatrix table = table_of(file, distinct, tags);
        tables.push_back(ordered ? in_order(party, file, std::move(table)) : std::move(table));
    }
    const SharedMatrix rows =
        distinct ? open_count_and_keep(party, distinct_rows(party, tables, names_of(files)))
                 : stack_rows(tables);
    return columns_of_owners(files.first(1), rows, tags);
}

// Keeps inputs of private training in the bounds that its clipping needs; of the whole set, once.
SharedMatrix capped(Party& party, const SharedMatrix& features) {
    const RingVector bounds(features.size(), encode_constant(kMaxPrivateInput));
    return cap(party, features, bounds);
}

}  // namespace

SharedDataShape require_fit(std::span<const ShareFile> files, std::span<const std::string> paths,
                            Alignment alignment, bool distinct, bool labels) {
    if (files.empty()) throw Error(ErrorCode::kInvalid, "the job has no owners' data");
    for (size_t i = 0; i < files.size(); ++i) require_data(files[i], paths[i]);
    if (alignment == Alignment::kNone && files.size() > 1) {
        misfit("several owners need align: vertical, rows or horizontal", paths[0], paths[1]);
    }
    SharedDataShape out;
    if (alignment == Alignment::kVertical || alignment == Alignment::kRows) {
        if (files.size() < 2) misfit("align needs two owners or more", paths[0]);
        require_keys(files, paths);
        if (alignment == Alignment::kRows) require_as_many_rows(files, paths);
        const size_t owner = owner_of_labels(files, paths);
        out.rows = files[0].matrices[kFeaturesAt].rows;
        for (const ShareFile& file : files) {
            out.rows = std::min(out.rows, file.matrices[kFeaturesAt].rows);
            out.features += file.matrices[kFeaturesAt].cols;
        }
        if (owner < files.size()) out.label_columns = files[owner].matrices[kLabelsAt].cols;
    } else {
        if (distinct) require_keys(files, paths);
        require_horizontal(files, paths);
        for (const ShareFile& file : files) out.rows += file.matrices[kFeaturesAt].rows;
        out.features = files[0].matrices[kFeaturesAt].cols;
        out.label_columns = files[0].matrices[kLabelsAt].cols;
    }
    if (labels && out.label_columns == 0) misfit("no owner brings labels", paths[0]);
    return out;
}

std::vector<size_t> require_tags(std::span<const ShareFile> files,
                                 std::span<const std::string> paths, Alignment alignment,
                                 bool distinct) {
    const bool beside = alignment == Alignment::kVertical || alignment == Alignment::kRows;
    std::vector<size_t> out;
    for (size_t i = 0; i < files.size(); ++i) {
        if (has_tags(files[i])) out.push_back(i);
    }
    if (!beside && out.size() < files.size()) out.clear();
    if (!beside && out.size() > 1) out.erase(out.begin() + 1, out.end());
    const bool order_is_lost = alignment == Alignment::kVertical || (distinct && files.size() > 1);
    if (!out.empty() || !order_is_lost) return out;
    const auto untagged = std::find_if_not(files.begin(), files.end(), has_tags);
    throw Error(ErrorCode::kInvalid,
                paths[static_cast<size_t>(untagged - files.begin())] +
                    ": its rows have no tags, and aligned rows come out in an order that nobody "
                    "knows: nobody could tell whose the scores are",
                std::string("share the rows anew with `ward mpc share --tags FILE`, ") +
                    (beside ? "at one owner at least" : "at all owners"));
}

AlignedData align(Party& party, std::span<const ShareFile> files, Alignment alignment,
                  bool distinct, Tags tags) {
    const net::TrafficLedger::Scope scope(party.ledger(), "align");
    if (alignment == Alignment::kVertical) return align_vertically(party, files, tags);
    if (alignment == Alignment::kRows) return put_side_by_side(party, files, tags);
    return align_horizontally(party, files, distinct && files.size() > 1, tags);
}

SharedNetwork train_shared(Party& party, const TrainingJob& job, const NetworkWeights& initial,
                           const AlignedData& data, const std::function<void(int)>& after_epoch,
                           Resumption* resumption) {
    if (data.features.rows != job.examples || data.labels.rows != job.examples) {
        throw Error(ErrorCode::kUsage, "the data have " + std::to_string(data.features.rows) +
                                           " rows, the job " + std::to_string(job.examples));
    }
    Network network(party, job.shape, initial, job.options);
    const bool is_private = job.options.clipping_norm > 0;
    const SharedMatrix features = is_private ? capped(party, data.features) : data.features;
    internal::for_batches_on_shares(
        job, network, resumption, after_epoch, [&](std::span<const size_t> rows) {
            network.train_step(select_rows(features, rows), select_rows(data.labels, rows));
        });
    party.verify();
    return {job.shape, network.weights(), network.biases()};
}

SharedMatrix score_shared(Party& party, const SharedNetwork& network,
                          const SharedMatrix& features) {
    Network scorer(party, network.shape, zero_weights(network.shape), {});
    std::vector<SharedMatrix> state = network.weights;
    state.insert(state.end(), network.biases.begin(), network.biases.end());
    for (const auto* part : {&network.weights, &network.biases}) {
        for (const SharedMatrix& matrix : *part) state.push_back(scale(matrix, 0));
    }
    scorer.restore(std::move(state), 0);
    std::vector<SharedMatrix> scores;
    for (size_t begin = 0; begin < features.rows; begin += kScoredRows) {
        std::vector<size_t> rows;
        for (size_t r = begin; r < std::min(begin + kScoredRows, features.rows); ++r) {
            rows.push_back(r);
        }
        scores.push_back(scorer.scores(select_rows(features, rows)));
        party.verify();
    }
    return stack_rows(scores);
}

}  // namespace ward::mpc
