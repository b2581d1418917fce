#include "ward/cli/internal/data_options.h"

#include <CLI/CLI.hpp>

#include "ward/core/error.h"
#include "ward/core/log.h"

namespace ward::cli {
namespace {

char parse_delimiter(const std::string& text) {
    if (text == "tab" || text == "\\t") return '\t';
    if (text.size() == 1) return text[0];
    throw Error(ErrorCode::kUsage, "--delimiter must be one character, got '" + text + "'",
                "for example --delimiter ';' or --delimiter tab");
}

}  // namespace

void add_data_options(CLI::App& command, DataOptions& options, bool positional) {
    command
        .add_option(positional ? "path,--data" : "--data", options.data,
                    "Folder (IDX, CIFAR, NPY, schema.yaml), file (CSV, NPY; .gz too), or digits, "
                    "breast-cancer")
        ->required()
        ->type_name("PATH");
    command.add_option("--schema", options.schema, "Schema of the table, YAML or JSON")
        ->type_name("FILE");
    command.add_option("--label", options.label, "Column to predict, overrules the schema")
        ->type_name("COLUMN");
    command.add_option("--group", options.group, "Column with the id of the person of each row")
        ->type_name("COLUMN");
    command.add_option("--delimiter", options.delimiter, "Field delimiter of the CSV, or tab")
        ->type_name("CHAR");
    command.add_option("--header", options.header, "Whether the CSV has a header")
        ->check(CLI::IsMember({"yes", "no"}));
    command
        .add_option("--encoding", options.encoding,
                    "How the CSV writes letters such as \u00e9 [by the schema, else utf-8]")
        ->check(CLI::IsMember({"utf-8", "latin1"}));
}

void add_split_options(CLI::App& command, DataOptions& options) {
    command.add_flag("--bounds-from-data", options.bounds_from_data,
                     "Read undeclared bounds and categories from the rows: a leak that the "
                     "privacy statement will mention");
    command
        .add_option("--test-fraction", options.test_fraction,
                    "Part held out of a set that comes in one piece")
        ->capture_default_str();
    command.add_option("--split-seed", options.split_seed, "Public seed of that split")
        ->capture_default_str();
}

data::LoadRequest to_request(const DataOptions& options, const std::string& split) {
    data::LoadRequest request;
    request.data = options.data;
    request.split = split;
    request.schema = options.schema;
    request.label = options.label;
    request.group = options.group;
    if (!options.delimiter.empty()) request.delimiter = parse_delimiter(options.delimiter);
    if (!options.header.empty()) request.header = options.header == "yes";
    if (!options.encoding.empty()) request.encoding = data::parse_text_encoding(options.encoding);
    request.bounds_from_data = options.bounds_from_data;
    request.test_fraction = options.test_fraction;
    request.split_seed = options.split_seed;
    return request;
}

void log_notes(const data::LoadedData& loaded) {
    for (const std::string& note : loaded.notes) log_info(note);
}

}  // namespace ward::cli
