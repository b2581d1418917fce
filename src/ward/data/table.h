// Typed columns, as read from a file and before they become inputs.
//
// Thread safety: value types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ward/data/schema.h"

namespace ward::data {

enum class ColumnType { kNumber, kCategory, kGroup };

inline constexpr int32_t kMissingCode = -1;
inline constexpr int32_t kUnknownCode = -2;  // a value outside the declared categories

struct Column {
    std::string name;
    ColumnType type = ColumnType::kNumber;
    std::vector<double> numbers;          // kNumber; NaN where missing
    std::vector<int32_t> codes;           // kCategory: index into categories, or the codes above
    std::vector<int64_t> ids;             // kGroup: the number itself, or a hash of the text
    std::vector<std::string> categories;  // declared ones, or those met, in order of appearance

    int64_t size() const;
    int64_t missing() const;  // missing values
};

struct Table {
    std::string source;  // file name, for messages
    std::string digest;  // SHA-256 of the (decompressed) content
    int64_t rows = 0;
    std::vector<Column> columns;
    // One content hash per row when asked for (CsvOptions::row_hashes): equal rows, equal hashes.
    std::vector<uint64_t> row_hashes;

    const Column* find(std::string_view name) const;  // nullptr when absent
};

// Adds the rows of `part`, which has the same columns; open categories are merged.
void append(Table& table, Table&& part);

// Whether all values of a column of text are dates (ISO 8601, day/month/year and their like).
bool holds_dates(const Column& column);

// A starting point for a schema: bounds and categories as found in the rows, marked
// bounds_from_data. Columns of numbers with at most 2 different values stay numeric. Proposed as
// kIgnored, each with a comment that says why: dates, text with more than `max_categories`
// different values, columns without values, and columns of text or whole numbers in which (nearly)
// every row has a value of its own, which are ids more often than not. `label` may be empty; it
// names the column of classes. Throws Error kNotFound for an unknown label column.
Schema infer_schema(const Table& table, const std::string& label, size_t max_categories = 256);

}  // namespace ward::data
