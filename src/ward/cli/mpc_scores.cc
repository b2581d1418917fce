#include "ward/cli/internal/mpc_scores.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "ward/cli/internal/mpc_ids.h"
#include "ward/cli/internal/mpc_tags.h"
#include "ward/core/error.h"
#include "ward/mpc/fixed_point.h"

namespace ward::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTagsKey = "tags";  // of `about`: names of the columns of tags

// Lines of a table: what stands first, and which row of the scores comes behind it.
struct Line {
    std::string begin;
    size_t row = 0;
};

std::vector<std::string> tag_columns(const std::string& about,
                                     const std::vector<mpc::RingMatrix>& matrices) {
    const Json json = Json::parse(about, nullptr, false);
    std::vector<std::string> out;
    const Json found = json.is_object() ? json.value(kTagsKey, Json::array()) : Json::array();
    for (const Json& name : found) {
        if (name.is_string()) out.push_back(name.get<std::string>());
    }
    const bool fits =
        matrices.size() == (out.empty() ? 1u : 2u) && out.size() == found.size() &&
        (out.empty() || (matrices[1].cols == out.size() && matrices[1].rows == matrices[0].rows));
    if (!fits) throw Error(ErrorCode::kCorrupt, "the result is not that of a job of scores");
    return out;
}

std::string class_title(const std::vector<std::string>& classes, size_t c) {
    return c < classes.size() ? classes[c] : std::to_string(c);
}

size_t class_columns(const mpc::RingMatrix& scores) { return scores.cols == 1 ? 2 : scores.cols; }

// Softmax of a row; of a single output, of 0 and it.
std::string probabilities(const mpc::RingMatrix& scores, size_t r) {
    std::vector<double> powers(class_columns(scores));
    double sum = 0, largest = -1e300;
    const auto score = [&](size_t c) {
        if (scores.cols == 1) return c == 0 ? 0.0 : mpc::decode(scores.values[r]);
        return mpc::decode(scores.values[r * scores.cols + c]);
    };
    for (size_t c = 0; c < powers.size(); ++c) largest = std::max(largest, score(c));
    for (size_t c = 0; c < powers.size(); ++c) sum += powers[c] = std::exp(score(c) - largest);
    std::string out;
    for (size_t c = 0; c < powers.size(); ++c) {
        char number[32];
        std::snprintf(number, sizeof(number), "%s%.6f", c > 0 ? "," : "", powers[c] / sum);
        out += number;
    }
    return out;
}

std::vector<Line> lines_with_tags(const mpc::RingMatrix& scores, const mpc::RingMatrix* tags) {
    std::vector<Line> out;
    for (size_t r = 0; r < scores.rows; ++r) {
        Line line = {"", r};
        for (size_t c = 0; tags != nullptr && c < tags->cols; ++c) {
            line.begin += tag_text(tags->values[r * tags->cols + c]) + ",";
        }
        out.push_back(std::move(line));
    }
    return out;
}

// The owner's rows among the scores, by its column of tags, in the order of its table.
std::vector<Line> lines_of_owner(const RowTags& own, const std::vector<std::string>& columns,
                                 const mpc::RingMatrix& tags, const std::string& path) {
    const bool joint = columns[0] == kJointTagColumn;
    const auto found = std::find(columns.begin(), columns.end(),
                                 joint ? std::string(kJointTagColumn) : own.tag_column);
    if (found == columns.end()) {
        throw Error(ErrorCode::kInvalid,
                    path + " has \"" + own.tag_column + "\", the scores have \"" + columns[0] +
                        (columns.size() > 1 ? "\" and others" : "\""),
                    "give the file of an owner whose rows were shared with --tags");
    }
    const auto column = static_cast<size_t>(found - columns.begin());
    std::unordered_map<uint64_t, size_t> place;
    for (size_t i = 0; i < own.tags.size(); ++i) place[own.tags[i]] = i;
    std::vector<std::pair<size_t, size_t>> rows;  // place in the owner's table, row of the scores
    for (size_t r = 0; r < tags.rows; ++r) {
        const auto at = place.find(tags.values[r * tags.cols + column]);
        if (at != place.end()) rows.emplace_back(at->second, r);
    }
    if (rows.empty() || (!joint && rows.size() < tags.rows)) {
        throw Error(ErrorCode::kInvalid,
                    path + " has " + (rows.empty() ? "none" : "only some") +
                        " of the rows that were scored",
                    "give the file that `ward mpc share --tags` wrote for these shares");
    }
    std::sort(rows.begin(), rows.end());
    std::vector<Line> out;
    for (const auto& [i, r] : rows) out.push_back({csv_quoted(own.ids[i]) + ",", r});
    return out;
}

}  // namespace

mpc::ShareFile scores_result(const mpc::JobFile& file, const mpc::ShareFile& model,
                             const std::string& digest, int party, std::span<const size_t> tagged,
                             mpc::SharedMatrix scores, mpc::SharedMatrix tags) {
    Json about = Json::parse(model.about);
    about[kTagsKey] = Json::array();
    const bool beside =
        file.alignment == mpc::Alignment::kVertical || file.alignment == mpc::Alignment::kRows;
    for (size_t owner : tagged) {
        const bool joint = !beside && file.owners.size() > 1;
        about[kTagsKey].push_back(joint ? kJointTagColumn : tag_column_of(file.owners[owner].name));
    }
    std::vector<mpc::SharedMatrix> matrices;
    matrices.push_back(std::move(scores));
    if (!tagged.empty()) matrices.push_back(std::move(tags));
    return mpc::result_file("scores", model.name, digest, about.dump(), party, std::move(matrices));
}

std::string score_table(const std::string& about, const std::vector<std::string>& classes,
                        const std::vector<mpc::RingMatrix>& matrices,
                        const std::string& tags_path) {
    const std::vector<std::string> columns = tag_columns(about, matrices);
    const mpc::RingMatrix& scores = matrices[0];
    std::string text;
    std::vector<Line> lines;
    if (tags_path.empty()) {
        for (const std::string& name : columns) text += csv_quoted(name) + ",";
        lines = lines_with_tags(scores, columns.empty() ? nullptr : &matrices[1]);
    } else {
        const RowTags own = read_row_tags(tags_path);
        if (columns.empty()) {
            throw Error(ErrorCode::kInvalid,
                        "the scores have no tags; they are in the order of the shared rows",
                        "leave --tags out, or share the rows anew with `ward mpc share --tags`");
        }
        text = csv_quoted(own.id_column) + ",";
        lines = lines_of_owner(own, columns, matrices[1], tags_path);
    }
    for (size_t c = 0; c < class_columns(scores); ++c) {
        text += (c > 0 ? "," : "") + csv_quoted(class_title(classes, c));
    }
    text += "\n";
    for (const Line& line : lines) text += line.begin + probabilities(scores, line.row) + "\n";
    return text;
}

}  // namespace ward::cli
