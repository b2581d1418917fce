#include "ward/data/load.h"

#include <cstdlib>
#include <filesystem>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/data/internal/load_parts.h"

namespace ward::data {
namespace {

namespace fs = std::filesystem;

void check(const LoadRequest& request) {
    if (request.split != "train" && request.split != "test" && request.split != "all")
        throw Error(ErrorCode::kUsage,
                    "split must be train, test or all, got '" + request.split + "'");
    if (!(request.test_fraction > 0 && request.test_fraction < 1))
        throw Error(ErrorCode::kUsage, "test fraction must be between 0 and 1, got " +
                                           std::to_string(request.test_fraction));
}

struct Builtin {
    const char* name;
    const char* file;
};
constexpr Builtin kBuiltins[] = {{"digits", "digits.csv.gz"},
                                 {"breast-cancer", "breast_cancer.csv"}};

// At most `most` rows of each group; all rows for 0.
LoadedData limit_groups(LoadedData&& all, int64_t most) {
    if (most == 0) return std::move(all);
    if (all.dataset.groups.empty()) {
        throw Error(
            ErrorCode::kUsage,
            "a limit of rows per group was given, but no column of " + all.source + " is the group",
            "name it with --group COLUMN, or declare kind: group in the schema");
    }
    const std::vector<int64_t> rows = first_rows_of_groups(all.dataset.groups, most);
    const int64_t dropped = all.dataset.size() - static_cast<int64_t>(rows.size());
    LoadedData some = std::move(all);
    some.notes.push_back(std::to_string(dropped) + " of " + std::to_string(some.dataset.size()) +
                         " rows were dropped: at most " + std::to_string(most) +
                         " of each group are used");
    some.dataset = select_rows(some.dataset, rows);
    some.dataset.digest =
        sha256_hex(some.dataset.digest + "\nat most per group " + std::to_string(most));
    return some;
}

}  // namespace

std::vector<std::string> builtin_names() {
    std::vector<std::string> names;
    for (const Builtin& builtin : kBuiltins) names.emplace_back(builtin.name);
    return names;
}

std::string builtin_folder() {
    std::vector<fs::path> tried;
    if (const char* chosen = std::getenv("WARD_DATA_DIR"); chosen != nullptr && *chosen != '\0') {
        tried.emplace_back(chosen);
    } else {
        std::error_code failure;
        const fs::path program = fs::read_symlink("/proc/self/exe", failure);
        if (!failure) tried.push_back(program.parent_path() / "../share/ward/data");
        tried.emplace_back(WARD_SOURCE_DATA_DIR);
    }
    std::string places;
    for (const fs::path& folder : tried) {
        std::error_code ignored;
        if (fs::is_directory(folder / "schemas", ignored))
            return folder.lexically_normal().string();
        places += (places.empty() ? "" : ", ") + folder.lexically_normal().string();
    }
    throw Error(ErrorCode::kNotFound, "Ward's own data folder was not found, looked in " + places,
                "set WARD_DATA_DIR to the folder `data` of the sources or of the installation");
}

LoadedData load_dataset(const LoadRequest& request) {
    check(request);
    const fs::path path = internal::resolve_data(request.data);
    if (internal::is_array_set(path))
        return limit_groups(internal::load_arrays(request, path), request.max_per_group);
    const std::optional<internal::TableFiles> files = internal::find_table(request, path);
    if (!files) {
        throw internal::nothing_found(path);
    }
    return limit_groups(internal::load_table(request, *files), request.max_per_group);
}

std::optional<ChosenSchema> choose_schema(const LoadRequest& request) {
    const fs::path path = internal::resolve_data(request.data);
    if (internal::is_array_set(path)) return std::nullopt;
    LoadRequest lenient = request;
    lenient.bounds_from_data = false;
    try {
        const std::optional<internal::TableFiles> files = internal::find_table(lenient, path);
        if (!files || files->chosen.origin.empty()) return std::nullopt;
        return files->chosen;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kNotFound) return std::nullopt;
        throw;
    }
}

namespace internal {

fs::path resolve_data(const std::string& data) {
    if (data.empty()) {
        throw Error(ErrorCode::kUsage, "no data given", "name a path, or digits or breast-cancer");
    }
    std::error_code ignored;
    if (fs::exists(data, ignored)) return data;
    std::string names;
    for (const Builtin& builtin : kBuiltins) {
        if (data == builtin.name) return fs::path(builtin_folder()) / builtin.file;
        names += (names.empty() ? "" : ", ") + std::string(builtin.name);
    }
    throw Error(ErrorCode::kNotFound,
                "no file, folder or built-in data set is called '" + data + "'",
                "built in: " + names + "; else check the path");
}

Error nothing_found(const fs::path& path) {
    return Error(
        ErrorCode::kNotFound, "found no data set in " + path.string(),
        "expected IDX files (train-images-idx3-ubyte[.gz], ...), CIFAR *.bin, a folder of PNG "
        "or JPEG files per class, "
        "features.npy with labels.npy, schema.yaml with its files, or name one file");
}

std::string existing_file(const fs::path& folder, const std::string& name) {
    std::error_code ignored;
    for (const std::string& candidate : {name, name + ".gz"})
        if (fs::is_regular_file(folder / candidate, ignored)) return (folder / candidate).string();
    if (name.ends_with(".gz")) return existing_file(folder, name.substr(0, name.size() - 3));
    return {};
}

LoadedData keep_part(LoadedData&& all, const LoadRequest& request,
                     const std::vector<uint64_t>& row_keys) {
    if (request.split == "all") {
        all.split = "all rows";
        return std::move(all);
    }
    const bool by_group = !all.dataset.groups.empty();
    const SplitRows rows =
        by_group ? split_by_group(all.dataset.groups, request.test_fraction, request.split_seed)
                 : split_by_key(row_keys, request.test_fraction, request.split_seed);
    const std::vector<int64_t>& wanted = request.split == "test" ? rows.test : rows.train;
    if (wanted.empty()) {
        throw Error(ErrorCode::kInvalid,
                    "the " + request.split + " part of " + all.source +
                        " is empty: it has too few rows to split",
                    "give more rows or another test fraction");
    }
    LoadedData part = std::move(all);
    part.split = request.split + " part: " + std::to_string(wanted.size()) + " of " +
                 std::to_string(part.dataset.size()) + " rows, " +
                 (by_group ? "whole groups " : "") + "by hash, test fraction " +
                 std::to_string(request.test_fraction) + ", seed " +
                 std::to_string(request.split_seed);
    part.dataset = select_rows(part.dataset, wanted);
    part.dataset.digest = sha256_hex(part.dataset.digest + "\n" + part.split);
    return part;
}

}  // namespace internal
}  // namespace ward::data
