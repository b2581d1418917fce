#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "ward/core/error.h"
#include "ward/data/internal/date.h"
#include "ward/data/table.h"

namespace ward::data {
namespace {

// An id differs in every row; a few rows may be there twice. In a handful of rows any column can do
// that by chance.
constexpr double kIdShare = 0.95;
constexpr int64_t kFewestRowsForIds = 20;

void ignore(ColumnSchema* schema, const std::string& why) {
    schema->kind = ColumnKind::kIgnored;
    schema->comment = why + "; change `kind` to use it";
}

std::string id_reason(const std::string& what) {
    return "left out: nearly every row has " + what +
           " of its own, as ids have; a model would learn rows by heart from it";
}

const char* const kDateReason =
    "left out: dates; give the model numbers made from them, such as an age or days in between";

// "patient_nbr", "customerId", "SSN": words that say whose row it is.
bool names_a_person(const std::string& name) {
    static const char* const kWords[] = {"id",      "ids",      "nbr",    "mrn",
                                         "ssn",     "iban",     "person", "patient",
                                         "subject", "customer", "user",   "account"};
    std::string word;
    for (size_t i = 0; i <= name.size(); ++i) {
        const unsigned char c = i < name.size() ? static_cast<unsigned char>(name[i]) : '_';
        const bool begins = std::isupper(c) != 0 && !word.empty() &&
                            std::islower(static_cast<unsigned char>(name[i - 1])) != 0;
        if (begins || std::isalpha(c) == 0) {
            if (std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords))
                return true;
            word.clear();
        }
        if (std::isalpha(c) != 0) word += static_cast<char>(std::tolower(c));
    }
    return false;
}

// Persons with several rows: many different values, and a name that means a person.
bool repeated_ids(const std::string& name, int64_t distinct, int64_t present) {
    return present >= kFewestRowsForIds && distinct < present && 10 * distinct >= present &&
           names_a_person(name);
}

std::string repeated_ids_reason(int64_t distinct, int64_t present) {
    return "left out: its name says whose row it is, and " + std::to_string(distinct) +
           " values stand in " + std::to_string(present) +
           " rows; to protect persons rather than rows, set `kind: group`";
}

// Whether nearly every present value is different; looks no further than needed to deny it.
bool mostly_distinct(const std::vector<double>& numbers, int64_t present) {
    if (present < kFewestRowsForIds) return false;
    const double allowed = (1 - kIdShare) * static_cast<double>(present);
    std::unordered_set<double> seen;
    int64_t repeated = 0;
    for (double value : numbers) {
        if (std::isnan(value) || seen.insert(value).second) continue;
        if (static_cast<double>(++repeated) > allowed) return false;
    }
    return true;
}

void infer_numbers(const Column& column, ColumnSchema* schema) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    bool whole = true, dates = true;
    for (double value : column.numbers) {
        if (std::isnan(value)) continue;
        low = std::min(low, value);
        high = std::max(high, value);
        whole = whole && value == std::trunc(value);
        dates = dates && internal::is_compact_date(value);
    }
    if (!(low <= high)) return ignore(schema, "left out: all values are missing");
    if (dates) return ignore(schema, kDateReason);
    const int64_t present = column.size() - column.missing();
    if (whole && names_a_person(column.name)) {
        std::unordered_set<double> seen;
        for (double value : column.numbers)
            if (!std::isnan(value)) seen.insert(value);
        const auto distinct = static_cast<int64_t>(seen.size());
        if (repeated_ids(column.name, distinct, present))
            return ignore(schema, repeated_ids_reason(distinct, present));
    }
    if (whole && mostly_distinct(column.numbers, present))
        return ignore(schema, id_reason("a whole number"));
    schema->kind = whole ? ColumnKind::kInteger : ColumnKind::kNumeric;
    schema->min = low;
    schema->max = high > low ? high : low + 1;  // a constant column maps to 0
    if (column.missing() > 0) schema->missing = MissingPolicy::kCategory;
}

void declare_categories(const Column& column, ColumnSchema* schema) {
    schema->kind = ColumnKind::kCategorical;
    schema->categories = column.categories;
    std::sort(schema->categories.begin(), schema->categories.end());
}

void infer_categories(const Column& column, size_t max_categories, ColumnSchema* schema) {
    const auto present = static_cast<double>(column.size() - column.missing());
    const auto distinct = static_cast<double>(column.categories.size());
    if (column.categories.empty()) return ignore(schema, "left out: all values are missing");
    if (holds_dates(column)) return ignore(schema, kDateReason);
    if (repeated_ids(column.name, std::ssize(column.categories), column.size() - column.missing()))
        return ignore(schema, repeated_ids_reason(std::ssize(column.categories),
                                                  column.size() - column.missing()));
    if (present >= kFewestRowsForIds && distinct >= kIdShare * present)
        return ignore(schema, id_reason("a text"));
    if (column.categories.size() > max_categories) {
        return ignore(schema, "left out: " + std::to_string(column.categories.size()) +
                                  " different texts, more than " + std::to_string(max_categories) +
                                  "; group them into fewer categories");
    }
    declare_categories(column, schema);
    if (column.missing() > 0) schema->missing = MissingPolicy::kCategory;
    schema->unknown = UnknownPolicy::kCategory;
}

void infer_label(const Column& column, size_t max_categories, ColumnSchema* schema) {
    if (column.type != ColumnType::kCategory || column.categories.size() > max_categories) {
        throw Error(ErrorCode::kInvalid,
                    "label column '" + column.name + "' has " +
                        std::to_string(column.categories.size()) +
                        " different values, expected at most " + std::to_string(max_categories),
                    "declare kind: target in a schema for regression");
    }
    declare_categories(column, schema);
    schema->kind = ColumnKind::kLabel;
}

}  // namespace

bool holds_dates(const Column& column) {
    return column.type == ColumnType::kCategory && !column.categories.empty() &&
           std::all_of(column.categories.begin(), column.categories.end(),
                       [](const std::string& text) { return internal::is_date(text); });
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
        if (column.name == label) {
            infer_label(column, max_categories, &found);
        } else if (column.type == ColumnType::kNumber) {
            infer_numbers(column, &found);
        } else {
            infer_categories(column, max_categories, &found);
        }
        schema.columns.push_back(std::move(found));
    }
    return schema;
}

}  // namespace ward::data
