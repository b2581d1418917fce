// The options that say which data to read and how; the same ones in every command that reads data.
#pragma once

#include <cstdint>
#include <string>

#include "ward/data/load.h"

namespace CLI {
class App;
}

namespace ward::cli {

struct DataOptions {
    std::string data;
    std::string schema;
    std::string label;
    std::string group;
    std::string delimiter;  // one character, "tab" or "\t"; empty: by the schema
    std::string header;     // "yes", "no" or empty: by the schema
    std::string encoding;   // "utf-8", "latin1" or empty: by the schema
    bool bounds_from_data = false;
    double test_fraction = data::kDefaultTestFraction;
    uint64_t split_seed = data::kDefaultSplitSeed;
};

// Adds --data (or the positional PATH), --schema, --label, --group, --delimiter, --header,
// --encoding.
// `options` must outlive the parsing.
void add_data_options(CLI::App& command, DataOptions& options, bool positional = false);

// Adds --bounds-from-data, --test-fraction and --split-seed, for commands that make examples.
void add_split_options(CLI::App& command, DataOptions& options);

// The request for one part ("train", "test", "all"). Throws Error kUsage for a wrong delimiter.
data::LoadRequest to_request(const DataOptions& options, const std::string& split);

// The notes of a loaded set as messages on standard error.
void log_notes(const data::LoadedData& loaded);

}  // namespace ward::cli
