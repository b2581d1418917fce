#include "ward/data/table.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/data/internal/string_table.h"

namespace ward::data {
namespace {

template <typename T>
void extend(std::vector<T>& all, const std::vector<T>& more) {
    all.insert(all.end(), more.begin(), more.end());
}

// Renumbers the codes of `part` by the categories of `all`, adding those it lacks.
void merge_categories(Column& all, Column& part) {
    if (all.categories == part.categories) return;
    internal::StringTable known;
    for (const std::string& category : all.categories) known.add(category);
    std::vector<int32_t> renumbered;
    for (const std::string& category : part.categories) {
        renumbered.push_back(known.add(category));
        if (known.size() > all.categories.size()) all.categories.push_back(category);
    }
    for (int32_t& code : part.codes)
        if (code >= 0) code = renumbered[static_cast<size_t>(code)];
}

void append_column(Column& all, Column& more) {
    merge_categories(all, more);
    extend(all.numbers, more.numbers);
    extend(all.codes, more.codes);
    extend(all.ids, more.ids);
}

void infer_numbers(const Column& column, ColumnSchema* schema) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    bool whole = true;
    for (double value : column.numbers) {
        if (std::isnan(value)) continue;
        low = std::min(low, value);
        high = std::max(high, value);
        whole = whole && value == std::trunc(value);
    }
    if (!(low <= high)) {  // nothing but missing values
        schema->kind = ColumnKind::kIgnored;
        return;
    }
    schema->kind = whole ? ColumnKind::kInteger : ColumnKind::kNumeric;
    schema->min = low;
    schema->max = high > low ? high : low + 1;  // a constant column maps to 0
}

}  // namespace

int64_t Column::size() const {
    return static_cast<int64_t>(std::max({numbers.size(), codes.size(), ids.size()}));
}

int64_t Column::missing() const {
    if (type == ColumnType::kCategory) return std::count(codes.begin(), codes.end(), kMissingCode);
    return std::count_if(numbers.begin(), numbers.end(), [](double x) { return std::isnan(x); });
}

const Column* Table::find(std::string_view name) const {
    const auto at = std::find_if(columns.begin(), columns.end(),
                                 [&](const Column& column) { return column.name == name; });
    return at == columns.end() ? nullptr : &*at;
}

void append(Table& table, Table&& part) {
    if (table.columns.size() != part.columns.size())
        throw Error(ErrorCode::kInternal, "tables to append have different columns");
    // Large parts by several threads: most of the time goes into first touches of new memory.
    const int64_t grain = part.rows > 4096 ? 1 : 1 << 20;
    parallel_for(0, static_cast<int64_t>(table.columns.size()), grain,
                 [&](int64_t first, int64_t last) {
                     for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
                         append_column(table.columns[i], part.columns[i]);
                 });
    extend(table.row_hashes, part.row_hashes);
    table.rows += part.rows;
}

Schema infer_schema(const Table& table, const std::string& label, size_t max_categories) {
    Schema schema;
    schema.name = table.source;
    schema.bounds_from_data = true;
    if (!label.empty() && table.find(label) == nullptr) {
        throw Error(ErrorCode::kNotFound, table.source + " has no column '" + label + "'",
                    "see `ward data describe` for the columns");
    }
    for (const Column& column : table.columns) {
        ColumnSchema found;
        found.name = column.name;
        if (column.type == ColumnType::kNumber) {
            infer_numbers(column, &found);
            if (column.missing() > 0 && found.kind != ColumnKind::kIgnored)
                found.missing = MissingPolicy::kCategory;
        } else {
            found.kind = column.categories.size() > max_categories ? ColumnKind::kIgnored
                                                                   : ColumnKind::kCategorical;
            if (found.kind == ColumnKind::kCategorical) {
                found.categories = column.categories;
                std::sort(found.categories.begin(), found.categories.end());
                if (column.missing() > 0) found.missing = MissingPolicy::kCategory;
                found.unknown = UnknownPolicy::kCategory;
            }
        }
        if (column.name == label) {
            if (found.kind != ColumnKind::kCategorical) {
                throw Error(
                    ErrorCode::kInvalid,
                    "label column '" + label + "' has " + std::to_string(column.categories.size()) +
                        " different values, expected at most " + std::to_string(max_categories),
                    "declare kind: target in a schema for regression");
            }
            found.kind = ColumnKind::kLabel;
            found.missing = MissingPolicy::kRefuse;
            found.unknown = UnknownPolicy::kRefuse;
        }
        schema.columns.push_back(std::move(found));
    }
    return schema;
}

}  // namespace ward::data
