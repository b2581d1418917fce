#include "ward/data/describe.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "ward/core/error.h"
#include "ward/data/csv.h"
#include "ward/data/internal/load_parts.h"

namespace ward::data {
namespace {

constexpr size_t kMostValues = 10;

std::vector<ValueCount> most_frequent(std::vector<ValueCount> all) {
    std::stable_sort(all.begin(), all.end(),
                     [](const ValueCount& a, const ValueCount& b) { return a.count > b.count; });
    if (all.size() > kMostValues) all.resize(kMostValues);
    return all;
}

std::vector<ValueCount> count_categories(const Column& column) {
    std::vector<ValueCount> counts;
    for (const std::string& category : column.categories) counts.push_back({category, 0});
    for (int32_t code : column.codes)
        if (code >= 0) ++counts[static_cast<size_t>(code)].count;
    return counts;
}

// The shortest text that a person would write for a number: 5, not 5.000000.
std::string number_text(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.12g", value);
    return text;
}

void describe_numbers(const Column& column, ColumnDescription* out) {
    out->numeric = true;
    std::map<double, int64_t> counts;
    double sum = 0;
    int64_t present = 0;
    for (double value : column.numbers) {
        if (std::isnan(value)) continue;
        out->min = present == 0 ? value : std::min(out->min, value);
        out->max = present == 0 ? value : std::max(out->max, value);
        sum += value;
        ++present;
        if (counts.size() <= 1000 || counts.contains(value)) ++counts[value];
    }
    out->mean = present > 0 ? sum / static_cast<double>(present) : 0;
    out->distinct = static_cast<int64_t>(counts.size());
    if (counts.size() > kMostValues) return;
    std::vector<ValueCount> values;
    values.reserve(counts.size());
    for (const auto& [value, count] : counts) values.push_back({number_text(value), count});
    out->values = most_frequent(std::move(values));
}

ColumnDescription describe_column(const Column& column) {
    ColumnDescription out;
    out.name = column.name;
    out.missing = column.missing();
    if (column.type == ColumnType::kNumber) {
        out.kind = "numeric";
        describe_numbers(column, &out);
        return out;
    }
    out.kind = holds_dates(column) ? "date" : "categorical";
    out.distinct = static_cast<int64_t>(column.categories.size());
    out.values = most_frequent(count_categories(column));
    return out;
}

bool is_declared(const ColumnSchema& schema, const std::string& value) {
    const auto is_alias = [&](const auto& pair) { return pair.first == value; };
    return std::find(schema.categories.begin(), schema.categories.end(), value) !=
               schema.categories.end() ||
           std::any_of(schema.aliases.begin(), schema.aliases.end(), is_alias);
}

// What the declared categories say to a column that was read without them.
void compare_categories(const ColumnSchema& schema, const Column& column, ColumnDescription* out) {
    if (column.type == ColumnType::kCategory) {
        for (const ValueCount& value : count_categories(column))
            if (!is_declared(schema, value.value)) out->undeclared += value.count;
        return;
    }
    for (double value : column.numbers)
        if (!std::isnan(value) && !is_declared(schema, number_text(value))) ++out->undeclared;
}

void compare(const ColumnSchema& schema, const Column& column, Description* description,
             ColumnDescription* out) {
    const auto problem = [&](int64_t count, const std::string& what) {
        if (count > 0)
            description->problems.push_back("column " + schema.name + ": " + std::to_string(count) +
                                            " " + what);
    };
    out->kind = column_kind_name(schema.kind);
    if (schema.kind == ColumnKind::kIgnored || schema.kind == ColumnKind::kGroup) return;
    if (!schema.categories.empty()) {
        compare_categories(schema, column, out);
        problem(out->undeclared, "values are not among the declared categories");
    } else if (column.type != ColumnType::kNumber) {
        problem(column.size() - column.missing(),
                "values where numbers are declared, not all of "
                "which are numbers");
    } else if (schema.min && schema.max) {
        for (double value : column.numbers)
            out->outside_bounds += value < *schema.min || value > *schema.max ? 1 : 0;
        problem(out->outside_bounds, "values are outside the declared bounds and will be clamped");
    }
    if (schema.missing == MissingPolicy::kRefuse)
        problem(out->missing, "values are missing, which the schema refuses");
}

// The label's name as the reader without a schema will call it.
std::string label_name(const LoadRequest& request, const Schema& schema, bool header) {
    const int declared = schema.find(ColumnKind::kLabel);
    if (declared < 0) return request.label;
    const std::string& name = schema.columns[static_cast<size_t>(declared)].name;
    if (!request.label.empty() && request.label != name) return request.label;
    return header ? name : "c" + std::to_string(declared + 1);
}

void name_columns(const Schema& schema, bool header, Table* table) {
    if (header || schema.columns.size() != table->columns.size()) return;
    for (size_t i = 0; i < table->columns.size(); ++i)
        table->columns[i].name = schema.columns[i].name;
}

// Classes under the names that the schema gives them.
std::vector<ValueCount> count_classes(const Column& column, const ColumnSchema* declared) {
    std::vector<ValueCount> counts = count_categories(column);
    if (declared == nullptr) return counts;
    for (ValueCount& count : counts)
        for (const auto& [alias, name] : declared->aliases)
            if (alias == count.value) count.value = name;
    return counts;
}

PartDescription describe_part(const Table& table, const std::string& split,
                              const std::string& label, const Schema& schema) {
    PartDescription part;
    part.split = split;
    part.source = table.source;
    part.rows = table.rows;
    part.digest = table.digest;
    const Column* classes = table.find(label);
    const int declared = schema.find(label);
    if (classes != nullptr) {
        part.classes = count_classes(
            *classes, declared < 0 ? nullptr : &schema.columns[static_cast<size_t>(declared)]);
    }
    return part;
}

// The person of each row, as asked for or as the schema says: never an input of a model.
void keep_group(const LoadRequest& request, const Schema& schema, Description* out) {
    std::string group = request.group;
    if (const int declared = schema.find(ColumnKind::kGroup); group.empty() && declared >= 0)
        group = schema.columns[static_cast<size_t>(declared)].name;
    if (group.empty()) return;
    const int at = out->inferred.find(group);
    if (at < 0) {
        throw Error(ErrorCode::kNotFound,
                    out->parts.front().source + " has no column '" + group + "'",
                    "see `ward data describe` for the columns");
    }
    const auto i = static_cast<size_t>(at);
    if (out->inferred.columns[i].kind == ColumnKind::kLabel)
        throw Error(ErrorCode::kUsage, "column '" + group + "' cannot be both label and group");
    out->inferred.columns[i] = ColumnSchema{};
    out->inferred.columns[i].name = group;
    out->inferred.columns[i].kind = ColumnKind::kGroup;
    out->columns[i].kind = "group";
}

Description describe_table(const LoadRequest& request, const internal::TableFiles& files) {
    const Schema& schema = files.chosen.schema;
    const CsvFormat format = internal::format_for(request, schema);
    const std::string raw_label = label_name(request, schema, format.header);
    Table table = read_csv_untyped(files.train, format, raw_label);
    const Column* label_column = table.find(raw_label);
    const auto label_at = label_column == nullptr ? -1 : label_column - table.columns.data();
    name_columns(schema, format.header, &table);
    const std::string label = label_at < 0 ? "" : table.columns[static_cast<size_t>(label_at)].name;

    Description out;
    out.kind = "table";
    out.name = schema.name.empty()
                   ? std::filesystem::path(internal::without_gz(files.train)).stem().string()
                   : schema.name;
    out.schema = files.chosen.origin;
    if (!files.not_used.empty()) out.problems.push_back(files.not_used);
    out.parts.push_back(describe_part(table, files.test.empty() ? "all" : "train", label, schema));
    if (!files.test.empty()) {
        Table test = read_csv_untyped(files.test, format, raw_label);
        name_columns(schema, format.header, &test);
        out.parts.push_back(describe_part(test, "test", label, schema));
    }
    for (const Column& column : table.columns) {
        out.columns.push_back(describe_column(column));
        const int declared = schema.find(column.name);
        if (declared >= 0)
            compare(schema.columns[static_cast<size_t>(declared)], column, &out,
                    &out.columns.back());
        if (declared < 0 && column.name == label) out.columns.back().kind = "label";
    }
    out.inferred = infer_schema(table, label);
    keep_group(request, schema, &out);
    out.inferred.name = out.name;
    out.inferred.format = format;
    out.inferred.train_file = schema.train_file;
    out.inferred.test_file = schema.test_file;
    return out;
}

Description describe_arrays(const LoadRequest& request, const std::filesystem::path& path) {
    Description out;
    out.kind = "images";
    for (const char* split : {"train", "test"}) {
        LoadRequest part_request = request;
        part_request.split = split;
        LoadedData loaded = internal::load_arrays(part_request, path);
        const Dataset& data = loaded.dataset;
        PartDescription part{split, loaded.source, data.size(), data.digest, {}};
        for (const std::string& name : data.class_names) part.classes.push_back({name, 0});
        for (int64_t label : data.labels) ++part.classes[static_cast<size_t>(label)].count;
        out.parts.push_back(std::move(part));
        out.name = data.name;
        out.example_shape = data.example_shape;
        if (out.example_shape.size() != 3) out.kind = "arrays";
    }
    return out;
}

}  // namespace

Description describe(const LoadRequest& request) {
    const std::filesystem::path path = internal::resolve_data(request.data);
    if (internal::is_array_set(path)) return describe_arrays(request, path);
    const auto files = internal::find_table(request, path);
    if (!files) throw internal::nothing_found(path);
    return describe_table(request, *files);
}

}  // namespace ward::data
