// One piece of a CSV window into columns; run by several threads on different pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ward/data/internal/csv_stream.h"
#include "ward/data/internal/string_table.h"

namespace ward::data::internal {

enum class FieldType : uint8_t {
    kSkip,
    kNumber,
    kInteger,   // a number without fraction
    kCategory,  // one of a closed list
    kText,      // any text, numbered in order of appearance
    kGroup,
    kProbe,  // only looks whether all values are numbers
};

struct FieldPlan {
    std::string name;
    FieldType type = FieldType::kSkip;
    bool missing_allowed = true;
    bool unknown_allowed = false;
    bool label = false;      // for messages: "class" instead of "category"
    StringTable categories;  // kCategory: declared ones and aliases
    int target = -1;         // index among the columns of the table
};

// How to read every field of a row.
struct RowPlan {
    std::vector<FieldPlan> fields;
    CsvFormat format;
    StringTable missing;
    bool row_hashes = false;
    std::string expected_by;  // "the header has", "the schema has": for ragged rows
};

struct FieldValues {
    std::vector<double> numbers;
    std::vector<int32_t> codes;
    std::vector<int64_t> ids;
    StringTable texts;
    bool saw_text = false;  // kProbe: a value that is not a number
};

struct CsvFault {
    uint64_t line;
    std::string message;  // after "FILE line N"
    std::string hint;
};

struct PieceResult {
    int64_t rows = 0;
    std::vector<FieldValues> fields;  // parallel to RowPlan::fields
    std::vector<uint64_t> row_hashes;
    std::optional<CsvFault> fault;  // the first one; rows before it are complete
};

PieceResult parse_piece(const CsvPiece& piece, const RowPlan& plan);

// The delimiter among , ; tab | that makes more fields of the record than the present one, or 0.
char better_delimiter(std::string_view record, const CsvFormat& format);
std::string delimiter_name(char delimiter);  // ';' or '\t', with the quotes

}  // namespace ward::data::internal
