#include "ward/cli/internal/data_options.h"

#include <CLI/CLI.hpp>
#include <set>
#include <string>

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
    const std::string what =
        "A folder (images, arrays, or tables with schema.yaml), a file (CSV, libsvm, NPY; .gz "
        "too), "
        "or the name of a built-in set: digits, breast-cancer";
    if (positional) {
        auto* path = command.add_option("PATH", options.data, what)->type_name("");
        command.add_option("--data", options.data, "The same as PATH")
            ->excludes(path)
            ->type_name("PATH");
    } else {
        command.add_option("--data", options.data, what)->required()->type_name("PATH");
    }
    command
        .add_option("--schema", options.schema,
                    "What the columns hold: a YAML or JSON file, see `ward data describe`")
        ->type_name("FILE");
    command.add_option("--label", options.label, "Column to predict; overrules the schema")
        ->type_name("COLUMN");
    command
        .add_option("--group", options.group,
                    "Column that says which person (or other unit) a row is of; never an input")
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
                     "Read undeclared bounds and categories from the rows; the guarantee does not "
                     "cover that, and the model's card will say so");
    command
        .add_option("--test-fraction", options.test_fraction,
                    "Share of the rows held out as test part, for sets without one of their own")
        ->capture_default_str();
    command.add_option("--split-seed", options.split_seed, "Seed of that split; public")
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
    static std::set<std::string> said;  // a command may load the same set several times
    for (const std::string& note : loaded.notes) {
        if (said.insert(note).second) log_info(note);
    }
}

}  // namespace ward::cli
