#include "ward/data/table.h"

#include <algorithm>
#include <cmath>

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

}  // namespace ward::data
