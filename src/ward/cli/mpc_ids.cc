#include "ward/cli/internal/mpc_ids.h"

#include <unordered_map>

#include "ward/core/error.h"
#include "ward/data/csv.h"

namespace ward::cli {

std::vector<std::string> read_text_column(const std::string& path, const data::CsvFormat& format,
                                          const std::string& name) {
    const data::Table table = data::read_csv_untyped(path, format, name);
    const data::Column* column = table.find(name);
    if (column == nullptr) throw Error(ErrorCode::kInvalid, path + " has no column " + name);
    std::vector<std::string> out;
    for (int32_t code : column->codes) {
        out.push_back(code >= 0 ? column->categories[static_cast<size_t>(code)] : std::string());
    }
    return out;
}

std::string csv_quoted(const std::string& text) {
    std::string out = "\"";
    for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
}

data::CsvFormat written_format() {
    data::CsvFormat format;
    format.delimiter = ',';
    format.trim = false;
    format.missing.clear();
    return format;
}

std::vector<std::string> read_ids(const data::LoadRequest& request, const std::string& column) {
    const auto chosen = data::choose_schema(request);
    return read_text_column(request.data, chosen ? chosen->schema.format : data::CsvFormat(),
                            column);
}

std::vector<int64_t> rows_of_ids(const std::vector<std::string>& ids, const std::string& wanted,
                                 const std::string& column) {
    std::unordered_map<std::string, int64_t> row_of;
    for (size_t row = 0; row < ids.size(); ++row) row_of[ids[row]] = static_cast<int64_t>(row);
    std::vector<int64_t> out;
    for (const std::string& id : read_text_column(wanted, written_format(), column)) {
        const auto found = row_of.find(id);
        if (found == row_of.end()) {
            throw Error(ErrorCode::kInvalid, wanted + ": the table has no row of \"" + id + "\"",
                        "take the table and the column that `ward mpc intersect` was given");
        }
        out.push_back(found->second);
    }
    return out;
}

}  // namespace ward::cli
