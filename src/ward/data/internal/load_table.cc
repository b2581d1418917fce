#include <algorithm>
#include <cstdio>

#include "ward/core/error.h"
#include "ward/core/log.h"
#include "ward/data/csv.h"
#include "ward/data/encode.h"
#include "ward/data/internal/csv_stream.h"
#include "ward/data/internal/load_parts.h"

namespace ward::data::internal {

std::string without_gz(const std::string& name) {
    return name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name;
}

CsvFormat format_for(const LoadRequest& request, const Schema& schema) {
    CsvFormat format = schema.format;
    if (request.delimiter) format.delimiter = *request.delimiter;
    if (request.header) format.header = *request.header;
    if (request.encoding) format.encoding = *request.encoding;
    return format;
}

namespace {

namespace fs = std::filesystem;

bool same_name(const fs::path& file, const std::string& declared) {
    return !declared.empty() && without_gz(file.filename().string()) == without_gz(declared);
}

// The shipped schemas, in alphabetical order.
std::vector<fs::path> shipped_schemas() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(fs::path(builtin_folder()) / "schemas"))
        if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

template <typename Fits>
std::optional<ChosenSchema> shipped_schema(Fits fits) {
    for (const fs::path& file : shipped_schemas()) {
        Schema schema = read_schema(file.string());
        if (fits(schema)) return ChosenSchema{std::move(schema), file.string()};
    }
    return std::nullopt;
}

bool is_answer(const ColumnSchema& column) {
    return column.kind == ColumnKind::kLabel || column.kind == ColumnKind::kTarget;
}

// Why the first line of `file` does not fit a schema that was chosen by the file's name; empty when
// it does. The column to predict may be absent.
std::string misfit(const LoadRequest& request, const std::string& file, const Schema& schema) {
    const CsvFormat format = format_for(request, schema);
    CsvOptions options;
    options.window_bytes = size_t{64} << 10;
    const CsvStream stream(ByteSource::open(file), format, options);
    const std::vector<std::string>& first = stream.first_record().fields;
    const auto count = [](size_t n) { return std::to_string(n) + (n == 1 ? " field" : " fields"); };
    if (!format.header) {
        const size_t answers = static_cast<size_t>(
            std::count_if(schema.columns.begin(), schema.columns.end(), is_answer));
        const size_t all = schema.columns.size();
        if (first.size() <= all && first.size() + answers >= all) return {};
        return "the first row has " + count(first.size()) + ", the schema " + std::to_string(all);
    }
    for (const ColumnSchema& column : schema.columns) {
        const bool needed = column.kind != ColumnKind::kIgnored &&
                            column.kind != ColumnKind::kGroup && !is_answer(column);
        if (needed && std::find(first.begin(), first.end(), column.name) == first.end())
            return "the header has no column " + quoted_for_message(column.name);
    }
    return {};
}

// The files with the shipped schema that goes by their name, or without it where the rows look
// different: somebody else's file may be called adult.data too.
TableFiles checked(const LoadRequest& request, TableFiles files) {
    const std::string& file = files.train.empty() ? files.test : files.train;
    const std::string why = misfit(request, file, files.chosen.schema);
    if (why.empty()) return files;
    TableFiles bare;
    bare.train = file;
    bare.not_used =
        "the schema " + files.chosen.origin + " goes by the file's name but was not used: " + why;
    return bare;
}

// The files that `schema` names in `folder`; nothing when they are not there.
std::optional<TableFiles> files_in(const fs::path& folder, ChosenSchema chosen) {
    TableFiles files;
    if (chosen.schema.train_file.empty()) return std::nullopt;
    files.train = existing_file(folder, chosen.schema.train_file);
    if (files.train.empty()) return std::nullopt;
    if (!chosen.schema.test_file.empty())
        files.test = existing_file(folder, chosen.schema.test_file);
    files.chosen = std::move(chosen);
    return files;
}

std::optional<ChosenSchema> declared_schema(const LoadRequest& request) {
    if (!request.preprocessing_json.empty())
        return ChosenSchema{schema_of(request.preprocessing_json), "the model itself"};
    if (!request.schema.empty()) return ChosenSchema{read_schema(request.schema), request.schema};
    return std::nullopt;
}

std::optional<TableFiles> find_in_folder(const LoadRequest& request, const fs::path& folder) {
    if (auto declared = declared_schema(request)) {
        const std::string wanted = declared->schema.train_file;
        if (auto files = files_in(folder, std::move(*declared))) return files;
        throw Error(ErrorCode::kNotFound,
                    wanted.empty()
                        ? "the schema names no file, and " + folder.string() + " is a folder"
                        : folder.string() + " holds no file " + wanted,
                    "name the file itself, or declare files: {train: NAME} in the schema");
    }
    const fs::path own = folder / "schema.yaml";
    if (fs::is_regular_file(own)) {
        if (auto files = files_in(folder, {read_schema(own.string()), own.string()})) return files;
    }
    std::optional<TableFiles> found;
    shipped_schema([&](const Schema& schema) {
        found = files_in(folder, {schema, {}});
        return found.has_value();
    });
    if (found) {
        auto chosen = shipped_schema(
            [&](const Schema& schema) { return schema.name == found->chosen.schema.name; });
        found->chosen.origin = chosen ? chosen->origin : "";
        return checked(request, std::move(*found));
    }
    return std::nullopt;
}

// A file on its own, or together with its test part when its schema names one beside it.
TableFiles with_partner(const fs::path& file, ChosenSchema chosen) {
    TableFiles files;
    files.train = file.string();
    const Schema& schema = chosen.schema;
    const fs::path folder = file.parent_path();
    if (!schema.test_file.empty() && same_name(file, schema.train_file)) {
        files.test = existing_file(folder, schema.test_file);
    } else if (same_name(file, schema.test_file)) {
        files.test = file.string();
        files.train = existing_file(folder, schema.train_file);
    }
    files.chosen = std::move(chosen);
    return files;
}

TableFiles find_file(const LoadRequest& request, const fs::path& file) {
    if (auto declared = declared_schema(request)) return with_partner(file, std::move(*declared));
    if (auto known = shipped_schema([&](const Schema& schema) {
            return same_name(file, schema.train_file) || same_name(file, schema.test_file);
        }))
        return checked(request, with_partner(file, std::move(*known)));
    TableFiles files;
    files.train = file.string();
    return files;
}

// The schema with what the request overrules.
void overrule(const LoadRequest& request, Schema* schema) {
    schema->format = format_for(request, *schema);
    const auto column = [&](const std::string& name) -> ColumnSchema& {
        const int at = schema->find(name);
        if (at >= 0) return schema->columns[static_cast<size_t>(at)];
        throw Error(ErrorCode::kNotFound, "the schema has no column '" + name + "'",
                    "see `ward data describe` for the columns");
    };
    if (!request.label.empty() && column(request.label).kind != ColumnKind::kLabel) {
        const int before = schema->find(ColumnKind::kLabel);
        if (before >= 0)
            schema->columns[static_cast<size_t>(before)].kind = ColumnKind::kCategorical;
        ColumnSchema& label = column(request.label);
        if (label.categories.empty()) {
            throw Error(ErrorCode::kInvalid,
                        "column '" + request.label + "' is the label but declares no classes",
                        "declare kind: label and classes: [...] in the schema; `ward data describe "
                        "--label " +
                            request.label + " --write-schema` writes one");
        }
        label.kind = ColumnKind::kLabel;
        label.missing = MissingPolicy::kRefuse;
        label.unknown = UnknownPolicy::kRefuse;
    }
    if (!request.group.empty()) {
        const int before = schema->find(ColumnKind::kGroup);
        if (before >= 0) schema->columns[static_cast<size_t>(before)].kind = ColumnKind::kIgnored;
        column(request.group).kind = ColumnKind::kGroup;
    }
    validate(*schema);
}

// For a file without a schema: what its rows show, on request only.
Schema inferred_schema(const LoadRequest& request, const TableFiles& files) {
    const std::string& file = files.train;
    if (!request.bounds_from_data) {
        throw Error(ErrorCode::kInvalid,
                    file + " has no schema: bounds and categories must be declared" +
                        (files.not_used.empty() ? "" : " (" + files.not_used + ")"),
                    "write a starting point with `ward data describe " + file +
                        " --write-schema schema.yaml`, edit it, and pass --schema schema.yaml");
    }
    const CsvFormat format = format_for(request, {});
    return infer_schema(read_csv_untyped(file, format, request.label), request.label);
}

// Nothing is left out in silence: columns that an inferred schema ignores, with the reason.
void add_left_out(const Schema& schema, LoadedData* loaded) {
    for (const ColumnSchema& column : schema.columns)
        if (column.kind == ColumnKind::kIgnored && !column.comment.empty())
            loaded->notes.push_back("column " + column.name + ": " + column.comment);
}

void require_in_bounds(const std::string& file, const Encoded& encoded) {
    if (!encoded.first_clamped) return;
    const OutOfBounds& found = *encoded.first_clamped;
    const auto text = [](double value) {
        char out[32];
        std::snprintf(out, sizeof(out), "%.9g", value);
        return std::string(out);
    };
    throw Error(
        ErrorCode::kInvalid,
        file + " row " + std::to_string(found.row) + ", column " +
            quoted_for_message(found.column) + ": " + text(found.value) +
            " is outside the declared bounds " + text(found.min) + " to " + text(found.max) +
            "; of such values there are " + std::to_string(encoded.clamped_values),
        "correct it, declare other bounds in the schema, or let such values be moved to the "
        "nearest bound: --clamp");
}

void add_notes(const Encoded& encoded, LoadedData* loaded) {
    const auto note = [&](int64_t count, const std::string& what) {
        if (count > 0) loaded->notes.push_back(std::to_string(count) + " " + what);
    };
    note(encoded.clamped_values,
         "values lay outside the declared bounds and were moved to the nearest bound");
    note(encoded.missing_values, "values were missing and were handled as the schema says");
    note(encoded.unknown_values,
         "values were none of the declared categories and count as (other)");
    if (encoded.data.bounds_read_from_data) {
        loaded->notes.push_back(
            "bounds or categories were read from the rows, which the privacy guarantee does not "
            "cover");
    }
}

}  // namespace

bool holds_known_table(const fs::path& folder) {
    if (fs::is_regular_file(folder / "schema.yaml")) return true;
    return shipped_schema([&](const Schema& schema) {
               return !schema.train_file.empty() &&
                      !existing_file(folder, schema.train_file).empty();
           })
        .has_value();
}

std::optional<TableFiles> find_table(const LoadRequest& request, const fs::path& path) {
    return fs::is_directory(path) ? find_in_folder(request, path) : find_file(request, path);
}

LoadedData load_table(const LoadRequest& request, const TableFiles& files) {
    Schema schema = files.chosen.schema;
    if (schema.columns.empty()) schema = inferred_schema(request, files);
    if (schema.name.empty() || files.chosen.schema.columns.empty())
        schema.name = fs::path(without_gz(files.train)).stem().string();
    overrule(request, &schema);
    const bool own_parts = !files.test.empty();
    if (own_parts && request.split == "train" && files.train.empty()) {
        throw Error(ErrorCode::kInvalid, files.test + " is the test part of its set",
                    "name the folder or " + schema.train_file);
    }
    if (schema.find(ColumnKind::kLabel) < 0 && schema.find(ColumnKind::kTarget) < 0 &&
        request.labels_required) {
        throw Error(ErrorCode::kInvalid, files.train + ": no column is declared as the label",
                    "pass --label COLUMN or declare kind: label (or target) in the schema");
    }
    CsvOptions options;
    options.labels_required = request.labels_required;
    options.row_hashes = !own_parts && request.split != "all";
    const std::string file = own_parts && request.split == "test" ? files.test : files.train;
    Table table = read_csv(file, schema, options);
    if (own_parts && request.split == "all" && !files.train.empty()) {
        Table test = read_csv(files.test, schema, options);
        table.digest += test.digest;
        append(table, std::move(test));
    }
    const int group = schema.find(ColumnKind::kGroup);
    if (group >= 0 && !own_parts && request.split != "all" &&
        table.find(schema.columns[static_cast<size_t>(group)].name) == nullptr) {
        throw Error(ErrorCode::kInvalid,
                    file + " lacks the group column, without which its " + request.split +
                        " part is not known",
                    "use --split all, or give the column");
    }
    Encoded encoded = encode(table, schema);
    if (!request.clamp) require_in_bounds(file, encoded);
    LoadedData loaded;
    loaded.source = file;
    if (!files.chosen.origin.empty())
        loaded.notes.push_back("rows are read by the schema of " + files.chosen.origin);
    if (!files.not_used.empty()) loaded.notes.push_back(files.not_used);
    add_left_out(schema, &loaded);
    add_notes(encoded, &loaded);
    loaded.dataset = std::move(encoded.data);
    if (own_parts) {
        loaded.split = "the set's own " + request.split + " part";
        return loaded;
    }
    return keep_part(std::move(loaded), request, table.row_hashes);
}

}  // namespace ward::data::internal
