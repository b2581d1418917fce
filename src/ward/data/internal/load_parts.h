// The two halves of load.cc.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "ward/core/error.h"
#include "ward/data/array.h"
#include "ward/data/load.h"

namespace ward::data::internal {

// The path of `data`: itself, or the file of a built-in set. Throws Error kNotFound.
std::filesystem::path resolve_data(const std::string& data);

Error nothing_found(const std::filesystem::path& path);  // to be thrown

// Files of one table.
struct TableFiles {
    std::string train;  // or the only one
    std::string test;   // empty: split by rows
    ChosenSchema chosen;
    std::string not_used;  // a shipped schema for a file of this name, and why it does not fit
};

// Files of one table and the schema to read them with; nothing when `path` is no table.
std::optional<TableFiles> find_table(const LoadRequest& request, const std::filesystem::path& path);

// Whether a folder has a schema of its own, or a file that a shipped schema names.
bool holds_known_table(const std::filesystem::path& folder);

LoadedData load_table(const LoadRequest& request, const TableFiles& files);

// Whether the folder or file holds IDX, NPY or CIFAR arrays.
bool is_array_set(const std::filesystem::path& path);
LoadedData load_arrays(const LoadRequest& request, const std::filesystem::path& path);

// `folder/name` or `folder/name.gz`, whichever exists; empty otherwise.
std::string existing_file(const std::filesystem::path& folder, const std::string& name);

std::string without_gz(const std::string& name);

// The schema's way of writing rows with what the request overrules.
CsvFormat format_for(const LoadRequest& request, const Schema& schema);

// The rows of the wanted part of a set in one piece, and words for it.
LoadedData keep_part(LoadedData&& all, const LoadRequest& request,
                     const std::vector<uint64_t>& row_keys);

}  // namespace ward::data::internal
