#include "ward/data/schema.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ward/core/error.h"
#include "ward/data/internal/number.h"
#include "ward/data/internal/utf8.h"

namespace ward::data {
namespace {

[[noreturn]] void fail(const ColumnSchema& column, const std::string& what,
                       const std::string& hint = {}) {
    throw Error(ErrorCode::kInvalid, "schema column '" + column.name + "': " + what, hint);
}

bool is_number(ColumnKind kind) {
    return kind == ColumnKind::kNumeric || kind == ColumnKind::kInteger;
}

// Schemas are stored as JSON, which must be UTF-8.
void check_text(const std::string& where, const std::string& text) {
    if (internal::is_utf8(text)) return;
    throw Error(ErrorCode::kInvalid, where + ": a name or category is not UTF-8",
                "convert the file: iconv -f LATIN1 -t UTF-8 IN > OUT");
}

void validate_text(const ColumnSchema& column) {
    const auto check = [&](const std::string& text) {
        check_text("schema column '" + column.name + "'", text);
    };
    check(column.name);
    check(column.impute);
    for (const std::string& category : column.categories) check(category);
    for (const auto& [alias, category] : column.aliases) check(alias);
}

void validate_bounds(const ColumnSchema& column) {
    if (!column.min || !column.max) {
        fail(column, "min and max must be declared",
             "declare what is possible from public knowledge, e.g. min: 0, max: 120 for an age; do "
             "not read it from private rows");
    }
    if (!std::isfinite(*column.min) || !std::isfinite(*column.max) || *column.min >= *column.max)
        fail(column, "min must be below max and both finite");
}

void validate_categories(const ColumnSchema& column) {
    const char* noun = column.kind == ColumnKind::kLabel ? "classes" : "categories";
    if (column.categories.empty()) fail(column, std::string(noun) + " must be declared");
    std::set<std::string> seen;
    for (const std::string& category : column.categories)
        if (!seen.insert(category).second) fail(column, "'" + category + "' is declared twice");
    for (const auto& [alias, category] : column.aliases) {
        if (!seen.contains(category))
            fail(column, "alias '" + alias + "' stands for '" + category +
                             "', which is not among the " + noun);
        if (std::find(column.categories.begin(), column.categories.end(), alias) !=
            column.categories.end())
            fail(column, "alias '" + alias + "' is one of the " + noun + " itself");
    }
}

void validate_impute(const ColumnSchema& column) {
    if (column.missing != MissingPolicy::kImpute) return;
    if (column.kind == ColumnKind::kCategorical) {
        if (std::find(column.categories.begin(), column.categories.end(), column.impute) ==
            column.categories.end())
            fail(column, "impute must be one of the categories, got '" + column.impute + "'");
        return;
    }
    double value = 0;
    const char* text = column.impute.data();
    if (internal::parse_number(text, text + column.impute.size(), &value) !=
        internal::NumberResult::kOk)
        fail(column, "impute must be a number, got '" + column.impute + "'");
}

void validate_column(const ColumnSchema& column) {
    const bool bounded_target =
        column.kind == ColumnKind::kTarget && (column.min || column.max);  // bounds are optional
    if (is_number(column.kind) || bounded_target) validate_bounds(column);
    if (column.kind == ColumnKind::kCategorical || column.kind == ColumnKind::kLabel)
        validate_categories(column);
    if (is_number(column.kind) || column.kind == ColumnKind::kCategorical) validate_impute(column);
    if (column.kind == ColumnKind::kLabel && column.categories.size() < 2)
        fail(column, "a label needs two classes or more");
    if ((column.kind == ColumnKind::kLabel || column.kind == ColumnKind::kTarget) &&
        (column.missing != MissingPolicy::kRefuse || column.unknown != UnknownPolicy::kRefuse))
        fail(column, "a label or target cannot be missing or unknown");
}

void validate_format(const CsvFormat& format) {
    const auto is_usable = [](char c) {
        return static_cast<signed char>(c) > 0 && c != '"' && c != '\n' && c != '\r';
    };
    if (!is_usable(format.delimiter) || (format.comment != '\0' && !is_usable(format.comment)) ||
        format.comment == format.delimiter) {
        throw Error(ErrorCode::kInvalid,
                    "schema format: delimiter and comment must be two ASCII characters, neither a "
                    "quote nor a newline");
    }
    for (const std::string& marker : format.missing) check_text("schema format", marker);
}

}  // namespace

TextEncoding parse_text_encoding(std::string_view name) {
    if (name == "utf-8") return TextEncoding::kUtf8;
    if (name == "latin1") return TextEncoding::kLatin1;
    throw Error(ErrorCode::kUsage,
                "encoding must be utf-8 or latin1, got '" + std::string(name) + "'",
                "convert others: iconv -f ENCODING -t UTF-8 IN > OUT");
}

int Schema::find(std::string_view column) const {
    for (size_t i = 0; i < columns.size(); ++i)
        if (columns[i].name == column) return static_cast<int>(i);
    return -1;
}

int Schema::find(ColumnKind kind) const {
    for (size_t i = 0; i < columns.size(); ++i)
        if (columns[i].kind == kind) return static_cast<int>(i);
    return -1;
}

void validate(const Schema& schema) {
    if (schema.columns.empty()) throw Error(ErrorCode::kInvalid, "the schema declares no columns");
    validate_format(schema.format);
    for (const std::string* text : {&schema.name, &schema.train_file, &schema.test_file})
        check_text("schema", *text);
    std::set<std::string> names;
    int answers = 0;
    int groups = 0;
    for (const ColumnSchema& column : schema.columns) {
        if (column.name.empty()) fail(column, "a column needs a name");
        if (!names.insert(column.name).second) fail(column, "the name is declared twice");
        validate_text(column);
        validate_column(column);
        answers += column.kind == ColumnKind::kLabel || column.kind == ColumnKind::kTarget;
        groups += column.kind == ColumnKind::kGroup;
    }
    if (answers > 1)
        throw Error(ErrorCode::kInvalid, "the schema declares more than one label or target",
                    "declare the others as kind: ignored");
    if (groups > 1)
        throw Error(ErrorCode::kInvalid, "the schema declares more than one group column");
    for (int64_t dimension : schema.example_shape)
        if (dimension < 1 || dimension > 1'000'000)
            throw Error(ErrorCode::kInvalid,
                        "example_shape must hold positive sizes, got " + std::to_string(dimension));
}

std::string_view column_kind_name(ColumnKind kind) {
    switch (kind) {
        case ColumnKind::kNumeric:
            return "numeric";
        case ColumnKind::kInteger:
            return "integer";
        case ColumnKind::kCategorical:
            return "categorical";
        case ColumnKind::kLabel:
            return "label";
        case ColumnKind::kTarget:
            return "target";
        case ColumnKind::kGroup:
            return "group";
        case ColumnKind::kIgnored:
            return "ignored";
    }
    return "unknown";
}

}  // namespace ward::data
