#include "ward/data/csv.h"

#include <algorithm>
#include <set>
#include <utility>

#include "ward/core/error.h"
#include "ward/core/log.h"
#include "ward/core/parallel.h"
#include "ward/data/internal/csv_parse.h"
#include "ward/data/internal/csv_stream.h"

namespace ward::data {
namespace {

using internal::ByteSource;
using internal::CsvStream;
using internal::FieldPlan;
using internal::FieldType;
using internal::PieceResult;
using internal::RowPlan;

[[noreturn]] void fail(const CsvStream& stream, uint64_t line, const std::string& what,
                       const std::string& hint) {
    throw Error(ErrorCode::kInvalid, stream.name() + " line " + std::to_string(line) + what, hint);
}

FieldType field_type(ColumnKind kind) {
    switch (kind) {
        case ColumnKind::kNumeric:
        case ColumnKind::kTarget:
            return FieldType::kNumber;
        case ColumnKind::kInteger:
            return FieldType::kInteger;
        case ColumnKind::kCategorical:
        case ColumnKind::kLabel:
            return FieldType::kCategory;
        case ColumnKind::kGroup:
            return FieldType::kGroup;
        case ColumnKind::kIgnored:
            return FieldType::kSkip;
    }
    return FieldType::kSkip;
}

ColumnType column_type(FieldType type) {
    if (type == FieldType::kGroup) return ColumnType::kGroup;
    return type == FieldType::kCategory || type == FieldType::kText ? ColumnType::kCategory
                                                                    : ColumnType::kNumber;
}

FieldPlan plan_field(const ColumnSchema& column) {
    FieldPlan plan;
    plan.name = column.name;
    plan.type = field_type(column.kind);
    plan.label = column.kind == ColumnKind::kLabel;
    const bool answer = plan.label || column.kind == ColumnKind::kTarget;
    plan.missing_allowed = !answer && column.missing != MissingPolicy::kRefuse;
    plan.unknown_allowed = column.unknown == UnknownPolicy::kCategory;
    for (const std::string& category : column.categories) plan.categories.add(category);
    for (const auto& [alias, category] : column.aliases)
        plan.categories.add(alias, plan.categories.find(category));
    return plan;
}

RowPlan empty_plan(const CsvFormat& format, const CsvOptions& options) {
    RowPlan plan;
    plan.format = format;
    plan.row_hashes = options.row_hashes;
    for (const std::string& marker : format.missing) plan.missing.add(marker);
    plan.expected_by = format.header ? "the header has" : "the first row has";
    return plan;
}

// The table without rows, and where each column of the schema stands in it (-1: nowhere).
std::vector<int> make_columns(const Schema& schema, Table* table) {
    std::vector<int> target(schema.columns.size(), -1);
    for (size_t i = 0; i < schema.columns.size(); ++i) {
        const ColumnSchema& declared = schema.columns[i];
        if (declared.kind == ColumnKind::kIgnored) continue;
        target[i] = static_cast<int>(table->columns.size());
        Column column;
        column.name = declared.name;
        column.type = column_type(field_type(declared.kind));
        column.categories = declared.categories;
        table->columns.push_back(std::move(column));
    }
    return target;
}

bool is_answer(const ColumnSchema& column) {
    return column.kind == ColumnKind::kLabel || column.kind == ColumnKind::kTarget;
}

// Hint for a first record that does not fit: most often the delimiter is another one.
std::string delimiter_hint(const CsvStream& stream, const CsvFormat& format, size_t expected) {
    if (stream.first_record().fields.size() != 1) return {};
    const char better = internal::better_delimiter(stream.first_record().fields[0], format);
    if (better == 0) return {};
    (void)expected;
    return "is the delimiter " + internal::delimiter_name(better) + "? (--delimiter)";
}

void check_header(const CsvStream& stream) {
    std::set<std::string> seen;
    for (const std::string& name : stream.first_record().fields) {
        if (name.empty()) continue;
        if (!seen.insert(name).second) {
            fail(stream, stream.first_record_line(),
                 ": two columns are called " + internal::quoted_for_message(name),
                 "rename one, or pass --header no if this line is data");
        }
    }
    if (!stream.first_record().well_formed) {
        fail(stream, stream.first_record_line(), ": the header has quotes that do not pair up",
             "put a name in quotes and double the quote inside (\"\")");
    }
}

void plan_by_name(const CsvStream& stream, const Schema& schema, const std::vector<int>& target,
                  const CsvOptions& options, RowPlan* plan) {
    check_header(stream);
    const std::vector<std::string>& header = stream.first_record().fields;
    plan->fields.resize(header.size());
    for (size_t i = 0; i < header.size(); ++i) plan->fields[i].name = header[i];
    for (size_t i = 0; i < schema.columns.size(); ++i) {
        const ColumnSchema& column = schema.columns[i];
        if (column.kind == ColumnKind::kIgnored) continue;
        if (is_answer(column) && !options.labels_required) continue;  // unknown yet: any text
        const auto at = std::find(header.begin(), header.end(), column.name);
        if (at == header.end()) {
            if (column.kind == ColumnKind::kGroup && !options.labels_required) continue;
            std::string hint = delimiter_hint(stream, schema.format, schema.columns.size());
            if (hint.empty())
                hint = "compare the header with the schema; --header no if there is none";
            throw Error(ErrorCode::kNotFound,
                        stream.name() + " line " + std::to_string(stream.first_record_line()) +
                            ": the header has no column " +
                            internal::quoted_for_message(column.name),
                        hint);
        }
        FieldPlan& field = plan->fields[static_cast<size_t>(at - header.begin())];
        field = plan_field(column);
        field.target = target[i];
    }
}

void plan_by_position(const CsvStream& stream, const Schema& schema, const std::vector<int>& target,
                      const CsvOptions& options, RowPlan* plan) {
    const size_t got = stream.first_record().fields.size();
    const bool without_answer =
        !options.labels_required && got + 1 == schema.columns.size() &&
        std::any_of(schema.columns.begin(), schema.columns.end(), is_answer);
    for (size_t i = 0; i < schema.columns.size(); ++i) {
        if (without_answer && is_answer(schema.columns[i])) continue;
        if (is_answer(schema.columns[i]) && !options.labels_required) {
            plan->fields.emplace_back().name = schema.columns[i].name;
            continue;
        }
        plan->fields.push_back(plan_field(schema.columns[i]));
        plan->fields.back().target = target[i];
    }
    plan->expected_by = "the schema has";
    if (plan->fields.size() == got) return;
    std::string hint = delimiter_hint(stream, schema.format, plan->fields.size());
    if (hint.empty()) hint = "compare the row with the schema";
    fail(stream, stream.first_record_line(),
         " has " + std::to_string(got) + (got == 1 ? " field" : " fields") + ", the schema has " +
             std::to_string(plan->fields.size()),
         hint);
}

// The rows of one piece as a table with the columns of `shape`.
Table to_table(const Table& shape, const RowPlan& plan, PieceResult&& result) {
    Table part;
    part.rows = result.rows;
    part.row_hashes = std::move(result.row_hashes);
    part.columns = shape.columns;
    for (size_t i = 0; i < plan.fields.size(); ++i) {
        if (plan.fields[i].target < 0) continue;
        Column& column = part.columns[static_cast<size_t>(plan.fields[i].target)];
        internal::FieldValues& values = result.fields[i];
        column.numbers = std::move(values.numbers);
        column.codes = std::move(values.codes);
        column.ids = std::move(values.ids);
        if (plan.fields[i].type == FieldType::kText)
            column.categories.assign(values.texts.texts().begin(), values.texts.texts().end());
    }
    return part;
}

// Parses every window and hands over its pieces in order; stops at the first fault.
void run(CsvStream& stream, const RowPlan& plan,
         const std::function<void(PieceResult&&)>& consume) {
    for (auto pieces = stream.next(); !pieces.empty(); pieces = stream.next()) {
        std::vector<PieceResult> results(pieces.size());
        parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t first, int64_t last) {
            for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
                results[i] = internal::parse_piece(pieces[i], plan);
        });
        for (PieceResult& result : results) {
            if (result.fault)
                fail(stream, result.fault->line, result.fault->message, result.fault->hint);
            consume(std::move(result));
        }
    }
}

// Reads a schema's columns from `source`; `consume` gets the rows piece by piece.
Table read_planned(ByteSource source, const Schema& schema, const CsvOptions& options,
                   const std::function<void(Table&&)>& consume) {
    CsvStream stream(std::move(source), schema.format, options);
    Table shape;
    shape.source = stream.name();
    const std::vector<int> target = make_columns(schema, &shape);
    RowPlan plan = empty_plan(schema.format, options);
    if (schema.format.header) {
        plan_by_name(stream, schema, target, options, &plan);
        stream.skip_first_record();
    } else {
        plan_by_position(stream, schema, target, options, &plan);
    }
    run(stream, plan,
        [&](PieceResult&& result) { consume(to_table(shape, plan, std::move(result))); });
    shape.digest = stream.digest();
    return shape;
}

Table read_all(ByteSource source, const Schema& schema, const CsvOptions& options) {
    Table table;
    Table shape = read_planned(std::move(source), schema, options, [&](Table&& part) {
        if (table.columns.empty()) {
            table = std::move(part);
        } else {
            append(table, std::move(part));
        }
    });
    if (table.rows == 0) {
        throw Error(ErrorCode::kInvalid, shape.source + " holds no rows",
                    "check that it is the right file");
    }
    // Columns that were not read (label and group of rows to predict) are not part of the table.
    std::erase_if(table.columns, [](const Column& column) { return column.size() == 0; });
    table.source = shape.source;
    table.digest = shape.digest;
    return table;
}

// Names and kinds as found: the first pass of the readers without a schema.
Schema probe(ByteSource source, const CsvFormat& format, const std::string& text_column,
             const CsvOptions& options, RowPlan* plan) {
    CsvStream stream(std::move(source), format, options);
    if (const std::string hint = delimiter_hint(stream, format, 0); !hint.empty()) {
        fail(stream, stream.first_record_line(),
             " has 1 field with the delimiter " + internal::delimiter_name(format.delimiter), hint);
    }
    *plan = empty_plan(format, options);
    const std::vector<std::string>& first = stream.first_record().fields;
    if (format.header) check_header(stream);
    for (size_t i = 0; i < first.size(); ++i) {
        FieldPlan field;
        field.name = format.header && !first[i].empty() ? first[i] : "c" + std::to_string(i + 1);
        field.type = FieldType::kProbe;
        plan->fields.push_back(std::move(field));
    }
    if (format.header) stream.skip_first_record();
    std::vector<bool> text(plan->fields.size());
    run(stream, *plan, [&](PieceResult&& result) {
        for (size_t i = 0; i < text.size(); ++i) text[i] = text[i] || result.fields[i].saw_text;
    });
    Schema schema;
    schema.format = format;
    bool found = text_column.empty();
    for (size_t i = 0; i < plan->fields.size(); ++i) {
        FieldPlan& field = plan->fields[i];
        found |= field.name == text_column;
        field.type = text[i] || field.name == text_column ? FieldType::kText : FieldType::kNumber;
        field.target = static_cast<int>(i);
        ColumnSchema column;
        column.name = field.name;
        column.kind =
            field.type == FieldType::kText ? ColumnKind::kCategorical : ColumnKind::kNumeric;
        schema.columns.push_back(std::move(column));
    }
    if (!found) {
        throw Error(ErrorCode::kNotFound,
                    stream.name() + " has no column " + internal::quoted_for_message(text_column),
                    format.header ? "see `ward data describe`"
                                  : "without a header the columns are c1, c2, ...");
    }
    return schema;
}

Table read_untyped(ByteSource first_pass, ByteSource second_pass, const CsvFormat& format,
                   const std::string& text_column, const CsvOptions& options) {
    RowPlan plan;
    const Schema schema = probe(std::move(first_pass), format, text_column, options, &plan);
    Table table;
    make_columns(schema, &table);
    const Table shape = table;
    CsvStream stream(std::move(second_pass), format, options);
    if (format.header) stream.skip_first_record();
    run(stream, plan,
        [&](PieceResult&& result) { append(table, to_table(shape, plan, std::move(result))); });
    table.source = stream.name();
    table.digest = stream.digest();
    if (table.rows == 0) {
        throw Error(ErrorCode::kInvalid, table.source + " holds no rows",
                    "check that it is the right file");
    }
    return table;
}

}  // namespace

Table read_csv(const std::string& path, const Schema& schema, const CsvOptions& options) {
    return read_all(ByteSource::open(path), schema, options);
}

Table parse_csv(ByteView content, const std::string& source, const Schema& schema,
                const CsvOptions& options) {
    return read_all(ByteSource::memory(content, source), schema, options);
}

int64_t for_each_csv_batch(const std::string& path, const Schema& schema, const CsvOptions& options,
                           const std::function<void(Table&&)>& consume) {
    int64_t rows = 0;
    read_planned(ByteSource::open(path), schema, options, [&](Table&& part) {
        rows += part.rows;
        part.source = path;
        consume(std::move(part));
    });
    return rows;
}

Table read_csv_untyped(const std::string& path, const CsvFormat& format,
                       const std::string& text_column, const CsvOptions& options) {
    return read_untyped(ByteSource::open(path), ByteSource::open(path), format, text_column,
                        options);
}

Table parse_csv_untyped(ByteView content, const std::string& source, const CsvFormat& format,
                        const std::string& text_column, const CsvOptions& options) {
    return read_untyped(ByteSource::memory(content, source), ByteSource::memory(content, source),
                        format, text_column, options);
}

}  // namespace ward::data
