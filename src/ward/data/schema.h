// What a table holds, declared by its owner: kinds, bounds, categories, missing values, classes.
//
// Bounds and categories are DECLARED from public knowledge (a codebook, a form, physics), because
// bounds read from private rows tell about those rows and no privacy guarantee covers that. A
// schema inferred from data is marked `bounds_from_data`, and the mark travels into the Dataset and
// the privacy statement until a person edits the file and removes it.
//
// On disk a schema is YAML or JSON (docs/formats/schema.md). Thread safety: value types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ward::data {

enum class ColumnKind {
    kNumeric,      // a real number between declared bounds
    kInteger,      // the same, and fractions are refused
    kCategorical,  // one of the declared categories
    kLabel,        // the class to predict: one of the declared classes
    kTarget,       // the number to predict (regression)
    kGroup,        // the person or unit a row belongs to; never an input
    kIgnored,      // read over
};

enum class MissingPolicy {
    kRefuse,    // a missing value is an error
    kImpute,    // it becomes the declared constant
    kCategory,  // it becomes an extra category, or for numbers the lower bound and an extra flag
};

enum class UnknownPolicy { kRefuse, kCategory };

enum class Scaling { kLinear, kLog1p };  // kLog1p: log(1 + x - min), for heavy tails

struct ColumnSchema {
    std::string name;
    ColumnKind kind = ColumnKind::kNumeric;
    std::optional<double> min;  // declared bounds of numbers
    std::optional<double> max;
    Scaling scaling = Scaling::kLinear;
    std::vector<std::string> categories;                       // or the classes of a label
    std::vector<std::pair<std::string, std::string>> aliases;  // other spelling -> category
    MissingPolicy missing = MissingPolicy::kRefuse;
    std::string impute;  // with kImpute: number or category
    UnknownPolicy unknown = UnknownPolicy::kRefuse;
    std::string comment;  // for people: one line, written to YAML and never read back
};

enum class TextEncoding { kUtf8, kLatin1 };  // Latin-1: ISO/IEC 8859-1

// "utf-8" or "latin1". Throws Error kUsage for anything else.
TextEncoding parse_text_encoding(std::string_view name);

// How the rows are written down.
struct CsvFormat {
    char delimiter = ',';
    bool header = true;
    int skip_lines = 0;   // lines before the header or first row that are no CSV
    char comment = '\0';  // lines that start with it are skipped; 0: none
    TextEncoding encoding = TextEncoding::kUtf8;
    bool trim = true;  // blanks around unquoted values do not count
    std::vector<std::string> missing = {"?", "NA", "N/A", "null", "NULL"};  // and empty, always
};

struct Schema {
    std::string name;
    CsvFormat format;
    std::string train_file;  // file names by which the set is recognised in a folder; without a
    std::string test_file;   // test file the rows of the train file are split
    std::vector<ColumnSchema> columns;   // in the order of the file
    std::vector<int64_t> example_shape;  // empty: a plain vector of features
    bool symmetric_range = false;        // inputs in [-1, 1] instead of [0, 1]
    bool bounds_from_data = false;

    int find(std::string_view column) const;  // index, or -1
    int find(ColumnKind kind) const;          // first column of that kind, or -1
};

// Throws Error kInvalid that names the column: bounds, categories, duplicates, two labels...
void validate(const Schema& schema);

// Reads YAML or JSON; `source` is the name used in errors (`adult.yaml line 12: ...`).
// Throws Error kInvalid for anything unknown or missing. The result is validated.
Schema parse_schema(std::string_view text, const std::string& source);
Schema read_schema(const std::string& path);  // also kNotFound, kIo

std::string schema_to_json(const Schema& schema);  // one line
std::string schema_to_yaml(const Schema& schema);  // for people, with comments
// YAML, or JSON when the name ends in .json. Appears complete or not at all.
void write_schema(const Schema& schema, const std::string& path);

std::string_view column_kind_name(ColumnKind kind);

}  // namespace ward::data
