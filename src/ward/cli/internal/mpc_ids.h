// Columns of identifiers, as owners write them, and files that Ward writes of them.
#pragma once

#include <string>
#include <vector>

#include "ward/data/load.h"

namespace ward::cli {

// The column of the table, as it is written, row by row. Throws Error kInvalid when there is none.
std::vector<std::string> read_ids(const data::LoadRequest& request, const std::string& column);

// Row numbers of `ids` that `wanted`, a file of the column (`ward mpc intersect`), names, in its
// order. Throws Error kInvalid for one that is not there.
std::vector<int64_t> rows_of_ids(const std::vector<std::string>& ids, const std::string& wanted,
                                 const std::string& column);

// A column of text, whatever its values look like; missing ones are empty. Throws Error kInvalid
// when there is none of this name.
std::vector<std::string> read_text_column(const std::string& path, const data::CsvFormat& format,
                                          const std::string& name);

// How Ward writes identifiers: every value in quotes, none of them missing.
std::string csv_quoted(const std::string& text);
data::CsvFormat written_format();

}  // namespace ward::cli
