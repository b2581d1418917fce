// Schemas as YAML and JSON. JSON is read by the YAML parser too (YAML 1.2 holds JSON), so that both
// give errors with line numbers and follow one set of rules. Every scalar is taken as text first,
// so the category `no` stays `no`.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/data/internal/number.h"
#include "ward/data/schema.h"

namespace ward::data {
namespace {

using Json = nlohmann::ordered_json;

// No key of a schema: the comment behind the value before it, in YAML only.
constexpr const char* kCommentKey = "#";

constexpr size_t kMaxSchemaBytes = size_t{16} << 20;
constexpr size_t kMaxColumns = 65536;
constexpr size_t kMaxCategories = 1'000'000;

constexpr ColumnKind kKinds[] = {
    ColumnKind::kNumeric, ColumnKind::kInteger, ColumnKind::kCategorical, ColumnKind::kLabel,
    ColumnKind::kTarget,  ColumnKind::kGroup,   ColumnKind::kIgnored};

// Walks the document and knows its name, for errors such as `adult.yaml line 12: ...`.
class SchemaReader {
  public:
    explicit SchemaReader(std::string source) : source_(std::move(source)) {}

    Schema read(const YAML::Node& root) {
        Schema schema;
        for_each_key(root,
                     {"ward_schema", "name", "format", "files", "example_shape", "range",
                      "bounds_from_data", "columns"},
                     [&](const std::string& key, const YAML::Node& value) {
                         read_top(key, value, &schema);
                     });
        if (!saw_version_) fail(root, "ward_schema is missing", "begin with ward_schema: 1");
        return schema;
    }

  private:
    [[noreturn]] void fail(const YAML::Node& at, const std::string& what,
                           const std::string& hint = {}) const {
        const int line = at.IsDefined() ? at.Mark().line : -1;
        throw Error(ErrorCode::kInvalid,
                    source_ + (line >= 0 ? " line " + std::to_string(line + 1) : "") + ": " + what,
                    hint);
    }

    template <typename Body>
    void for_each_key(const YAML::Node& map, const std::vector<std::string>& known, Body body) {
        if (!map.IsMap()) fail(map, "expected `key: value` pairs");
        std::vector<std::string> seen;
        for (const auto& entry : map) {
            const std::string key = text(entry.first);
            if (std::find(known.begin(), known.end(), key) == known.end()) {
                std::string all;
                for (const std::string& name : known) all += (all.empty() ? "" : ", ") + name;
                fail(entry.first, "unknown key '" + key + "'", "known here: " + all);
            }
            if (std::find(seen.begin(), seen.end(), key) != seen.end())
                fail(entry.first, "key '" + key + "' is given twice");
            seen.push_back(key);
            body(key, entry.second);
        }
    }

    std::string text(const YAML::Node& node) const {
        if (!node.IsScalar()) fail(node, "expected a text or number");
        return node.Scalar();
    }

    double number(const YAML::Node& node) const {
        const std::string value = text(node);
        double result = 0;
        if (internal::parse_number(value.data(), value.data() + value.size(), &result) !=
            internal::NumberResult::kOk)
            fail(node, "expected a finite number, got '" + value + "'");
        return result;
    }

    int64_t whole_number(const YAML::Node& node, int64_t low, int64_t high) const {
        const double value = number(node);
        if (value != std::trunc(value) || value < static_cast<double>(low) ||
            value > static_cast<double>(high)) {
            fail(node, "expected a whole number from " + std::to_string(low) + " to " +
                           std::to_string(high) + ", got '" + text(node) + "'");
        }
        return static_cast<int64_t>(value);
    }

    bool flag(const YAML::Node& node) const {
        const std::string value = text(node);
        if (value != "true" && value != "false")
            fail(node, "expected true or false, got '" + value + "'");
        return value == "true";
    }

    char character(const YAML::Node& node) const {
        const std::string value = text(node);
        if (value == "\\t" || value == "tab") return '\t';
        if (value.size() != 1) fail(node, "expected one character, got '" + value + "'");
        return value[0];
    }

    std::vector<std::string> texts(const YAML::Node& node) {
        if (!node.IsSequence()) fail(node, "expected a list, e.g. [a, b]");
        categories_ += node.size();
        if (categories_ > kMaxCategories) fail(node, "too many values");
        std::vector<std::string> out;
        out.reserve(node.size());
        for (const auto& item : node) out.push_back(text(item));
        return out;
    }

    void read_top(const std::string& key, const YAML::Node& value, Schema* schema) {
        if (key == "ward_schema") {
            if (text(value) != "1")
                fail(value, "ward_schema must be 1, got '" + text(value) + "'",
                     "this Ward reads version 1");
            saw_version_ = true;
        } else if (key == "name") {
            schema->name = text(value);
        } else if (key == "format") {
            schema->format = read_format(value);
        } else if (key == "files") {
            for_each_key(value, {"train", "test"},
                         [&](const std::string& part, const YAML::Node& file) {
                             (part == "train" ? schema->train_file : schema->test_file) =
                                 read_file_name(file);
                         });
        } else if (key == "example_shape") {
            if (!value.IsSequence() || value.size() > 8)
                fail(value, "expected a list of sizes, e.g. [1, 8, 8]");
            for (const auto& item : value)
                schema->example_shape.push_back(whole_number(item, 1, 1'000'000));
        } else if (key == "range") {
            read_range(value, schema);
        } else if (key == "bounds_from_data") {
            schema->bounds_from_data = flag(value);
        } else {
            if (!value.IsSequence()) fail(value, "columns must be a list");
            for (const auto& column : value) read_column(column, schema);
        }
    }

    // A name inside the folder of the set, never a way out of it.
    std::string read_file_name(const YAML::Node& node) const {
        std::string name = text(node);
        if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..")
            fail(node, "expected a file name without folders, got '" + name + "'");
        return name;
    }

    void read_range(const YAML::Node& node, Schema* schema) {
        const bool pair = node.IsSequence() && node.size() == 2;
        const double low = pair ? number(node[0]) : 0;
        if (!pair || number(node[1]) != 1 || (low != 0 && low != -1))
            fail(node, "range must be [0, 1] or [-1, 1]");
        schema->symmetric_range = low == -1;
    }

    TextEncoding read_encoding(const YAML::Node& node) const {
        try {
            return parse_text_encoding(text(node));
        } catch (const Error& error) {
            fail(node, error.message(), error.hint());
        }
    }

    CsvFormat read_format(const YAML::Node& node) {
        CsvFormat format;
        for_each_key(
            node, {"delimiter", "header", "encoding", "skip_lines", "comment", "trim", "missing"},
            [&](const std::string& key, const YAML::Node& value) {
                if (key == "delimiter") format.delimiter = character(value);
                if (key == "header") format.header = flag(value);
                if (key == "encoding") format.encoding = read_encoding(value);
                if (key == "skip_lines")
                    format.skip_lines = static_cast<int>(whole_number(value, 0, 1000));
                if (key == "comment") format.comment = character(value);
                if (key == "trim") format.trim = flag(value);
                if (key == "missing") format.missing = texts(value);
            });
        return format;
    }

    void read_column(const YAML::Node& node, Schema* schema) {
        ColumnSchema column;
        int64_t repeat = 0;
        for_each_key(node,
                     {"name", "kind", "min", "max", "scaling", "categories", "classes", "aliases",
                      "missing", "unknown", "repeat"},
                     [&](const std::string& key, const YAML::Node& value) {
                         if (key == "repeat") {
                             repeat = whole_number(value, 1, kMaxColumns);
                         } else {
                             read_column_key(key, value, &column);
                         }
                     });
        if (column.name.empty()) fail(node, "a column needs a name");
        if (schema->columns.size() + static_cast<size_t>(std::max<int64_t>(repeat, 1)) >
            kMaxColumns)
            fail(node, "more than " + std::to_string(kMaxColumns) + " columns");
        categories_ += column.categories.size() * static_cast<size_t>(repeat);
        if (categories_ > kMaxCategories) fail(node, "too many values");
        for (int64_t i = 0; i < repeat; ++i) {
            schema->columns.push_back(column);
            schema->columns.back().name.append(1, '_').append(std::to_string(i));
        }
        if (repeat == 0) schema->columns.push_back(std::move(column));
    }

    void read_column_key(const std::string& key, const YAML::Node& value, ColumnSchema* column) {
        if (key == "name") column->name = text(value);
        if (key == "kind") column->kind = read_kind(value);
        if (key == "min") column->min = number(value);
        if (key == "max") column->max = number(value);
        if (key == "scaling") column->scaling = read_scaling(value);
        if (key == "categories" || key == "classes") column->categories = texts(value);
        if (key == "aliases") read_aliases(value, column);
        if (key == "missing") read_missing(value, column);
        if (key == "unknown") column->unknown = read_unknown(value);
    }

    ColumnKind read_kind(const YAML::Node& node) const {
        std::string all;
        for (ColumnKind kind : kKinds) {
            if (text(node) == column_kind_name(kind)) return kind;
            all += (all.empty() ? "" : ", ") + std::string(column_kind_name(kind));
        }
        fail(node, "unknown kind '" + text(node) + "'", "known: " + all);
    }

    Scaling read_scaling(const YAML::Node& node) const {
        if (text(node) == "linear") return Scaling::kLinear;
        if (text(node) == "log1p") return Scaling::kLog1p;
        fail(node, "scaling must be linear or log1p, got '" + text(node) + "'");
    }

    UnknownPolicy read_unknown(const YAML::Node& node) const {
        if (text(node) == "refuse") return UnknownPolicy::kRefuse;
        if (text(node) == "category") return UnknownPolicy::kCategory;
        fail(node, "unknown must be refuse or category, got '" + text(node) + "'");
    }

    void read_missing(const YAML::Node& node, ColumnSchema* column) {
        if (node.IsMap()) {
            column->missing = MissingPolicy::kImpute;
            for_each_key(node, {"impute"}, [&](const std::string&, const YAML::Node& value) {
                column->impute = text(value);
            });
        } else if (text(node) == "refuse") {
            column->missing = MissingPolicy::kRefuse;
        } else if (text(node) == "category") {
            column->missing = MissingPolicy::kCategory;
        } else {
            fail(node,
                 "missing must be refuse, category or {impute: VALUE}, got '" + text(node) + "'");
        }
    }

    void read_aliases(const YAML::Node& node, ColumnSchema* column) {
        if (!node.IsMap()) fail(node, "aliases must be `spelling: category` pairs");
        for (const auto& entry : node)
            column->aliases.emplace_back(text(entry.first), text(entry.second));
    }

    std::string source_;
    bool saw_version_ = false;
    size_t categories_ = 0;
};

Json format_value(const CsvFormat& format) {
    Json out = {{"delimiter", format.delimiter == '\t' ? "tab" : std::string(1, format.delimiter)},
                {"header", format.header}};
    if (format.encoding == TextEncoding::kLatin1) out["encoding"] = "latin1";
    if (format.skip_lines > 0) out["skip_lines"] = format.skip_lines;
    if (format.comment != '\0') out["comment"] = std::string(1, format.comment);
    if (!format.trim) out["trim"] = false;
    if (format.missing != CsvFormat().missing) out["missing"] = format.missing;
    return out;
}

Json column_value(const ColumnSchema& column) {
    Json out = {{"name", column.name}, {"kind", column_kind_name(column.kind)}};
    if (column.min) out["min"] = *column.min;
    if (column.max) out["max"] = *column.max;
    if (column.scaling == Scaling::kLog1p) out["scaling"] = "log1p";
    if (!column.categories.empty())
        out[column.kind == ColumnKind::kLabel ? "classes" : "categories"] = column.categories;
    for (const auto& [alias, category] : column.aliases) out["aliases"][alias] = category;
    if (column.missing == MissingPolicy::kImpute) out["missing"] = {{"impute", column.impute}};
    if (column.missing == MissingPolicy::kCategory) out["missing"] = "category";
    if (column.unknown == UnknownPolicy::kCategory) out["unknown"] = "category";
    return out;
}

Json schema_value(const Schema& schema, bool comments = false) {
    Json out = {{"ward_schema", 1}};
    if (!schema.name.empty()) out["name"] = schema.name;
    out["bounds_from_data"] = schema.bounds_from_data;
    out["format"] = format_value(schema.format);
    if (!schema.train_file.empty()) out["files"]["train"] = schema.train_file;
    if (!schema.test_file.empty()) out["files"]["test"] = schema.test_file;
    if (!schema.example_shape.empty()) out["example_shape"] = schema.example_shape;
    if (schema.symmetric_range) out["range"] = {-1, 1};
    out["columns"] = Json::array();
    for (const ColumnSchema& column : schema.columns) {
        out["columns"].push_back(column_value(column));
        if (comments && !column.comment.empty())
            out["columns"].back()[kCommentKey] = column.comment;
    }
    return out;
}

// Text that cannot be taken for anything else stays without quotes.
bool is_plain_word(const std::string& text) {
    if (text.empty() || !std::isalpha(static_cast<unsigned char>(text[0]))) return false;
    for (const char* special : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
        if (std::equal(
                text.begin(), text.end(), special, special + std::strlen(special),
                [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; }))
            return false;
    }
    return std::all_of(text.begin(), text.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
    });
}

void emit(YAML::Emitter& out, const Json& value) {
    if (value.is_object()) {
        out << YAML::BeginMap;
        for (const auto& [key, item] : value.items()) {
            if (key == kCommentKey) {
                out << YAML::Comment(item.get<std::string>());
                continue;
            }
            out << YAML::Key;
            emit(out, Json(key));
            out << YAML::Value;
            emit(out, item);
        }
        out << YAML::EndMap;
    } else if (value.is_array()) {
        const bool simple = std::none_of(value.begin(), value.end(),
                                         [](const Json& x) { return x.is_structured(); });
        out << (simple ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
        for (const Json& item : value) emit(out, item);
        out << YAML::EndSeq;
    } else if (value.is_string()) {
        const auto text = value.get<std::string>();
        if (!is_plain_word(text)) out << YAML::DoubleQuoted;
        out << text;
    } else {
        out << value.dump();
    }
}

}  // namespace

Schema parse_schema(std::string_view text, const std::string& source) {
    if (text.size() > kMaxSchemaBytes)
        throw Error(ErrorCode::kInvalid, source + " is too large for a schema");
    std::string document(text);
    const size_t first = document.find_first_not_of(" \t\r\n");
    // Tabs are blanks in JSON, but the YAML parser takes some of them amiss.
    if (first != std::string::npos && document[first] == '{')
        std::replace(document.begin(), document.end(), '\t', ' ');
    Schema schema;
    try {
        const YAML::Node root = YAML::Load(document);
        if (!root.IsMap())
            throw Error(ErrorCode::kInvalid,
                        source + " is not a schema: expected `key: value` pairs",
                        "begin with ward_schema: 1");
        schema = SchemaReader(source).read(root);
    } catch (const YAML::Exception& error) {
        throw Error(ErrorCode::kInvalid,
                    source + " line " + std::to_string(error.mark.line + 1) + ": " + error.msg,
                    "a schema is YAML or JSON");
    }
    try {
        validate(schema);
    } catch (const Error& error) {
        throw Error(error.code(), source + ": " + error.message(), error.hint());
    }
    return schema;
}

Schema read_schema(const std::string& path) {
    return parse_schema(read_text_file(path, kMaxSchemaBytes), path);
}

std::string schema_to_json(const Schema& schema) { return schema_value(schema).dump(); }

std::string schema_to_yaml(const Schema& schema) {
    YAML::Emitter out;
    emit(out, schema_value(schema, true));
    std::ostringstream text;
    if (schema.bounds_from_data) {
        text
            << "# Bounds and categories below were READ FROM THE DATA, which no privacy guarantee\n"
               "# covers. Replace them by what is publicly known to be possible, then remove the "
               "line\n"
               "# bounds_from_data.\n";
    }
    text << out.c_str() << "\n";
    return text.str();
}

void write_schema(const Schema& schema, const std::string& path) {
    validate(schema);
    const bool json = path.ends_with(".json");
    write_file_atomically(path,
                          json ? schema_value(schema).dump(2) + "\n" : schema_to_yaml(schema));
}

}  // namespace ward::data
