#include "ward/cli/internal/mpc_tags.h"

#include <charconv>
#include <cstdio>
#include <unordered_set>

#include "ward/cli/internal/mpc_ids.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/data/csv.h"

namespace ward::cli {
namespace {

constexpr size_t kTagDigits = 16;

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
    throw Error(ErrorCode::kInvalid, path + ": " + what,
                "give the file that `ward mpc share --tags` wrote for these shares");
}

uint64_t parse_tag(const std::string& text, const std::string& path) {
    uint64_t out = 0;
    const char* end = text.data() + text.size();
    const bool form = text.size() == kTagDigits + 1 && text[0] == 't';
    if (!form || std::from_chars(text.data() + 1, end, out, 16).ptr != end) {
        refuse(path, "\"" + text + "\" is no tag of a row");
    }
    return out;
}

}  // namespace

std::string tag_column_of(const std::string& owner) { return "row of " + owner; }

std::string tag_text(uint64_t tag) {
    char out[kTagDigits + 2];
    std::snprintf(out, sizeof(out), "t%016llx", static_cast<unsigned long long>(tag));
    return out;
}

void write_row_tags(const RowTags& tags, const std::string& path) {
    std::string text = csv_quoted(tags.id_column) + "," + csv_quoted(tags.tag_column) + "\n";
    for (size_t i = 0; i < tags.ids.size(); ++i) {
        text += csv_quoted(tags.ids[i]) + "," + tag_text(tags.tags[i]) + "\n";
    }
    AtomicFile file(path, AtomicFile::Readers::kOwner);
    file.write(text);
    file.commit();
}

RowTags read_row_tags(const std::string& path) {
    const data::Table table = data::read_csv_untyped(path, written_format());
    if (table.columns.size() != 2) {
        refuse(path, "has " + std::to_string(table.columns.size()) +
                         " columns, expected identifiers and tags");
    }
    RowTags out;
    out.id_column = table.columns[0].name;
    out.tag_column = table.columns[1].name;
    out.ids = read_text_column(path, written_format(), out.id_column);
    std::unordered_set<uint64_t> seen;
    for (const std::string& text : read_text_column(path, written_format(), out.tag_column)) {
        out.tags.push_back(parse_tag(text, path));
        if (!seen.insert(out.tags.back()).second) refuse(path, "has the tag " + text + " twice");
    }
    return out;
}

}  // namespace ward::cli
