#include "ward/cli/internal/output_paths.h"

#include <unistd.h>

#include <filesystem>

#include "ward/core/error.h"

namespace ward::cli {
namespace {

bool same_file(const std::string& a, const std::string& b) {
    std::error_code ignored;
    if (std::filesystem::equivalent(a, b, ignored)) return true;
    return std::filesystem::weakly_canonical(a, ignored) ==
           std::filesystem::weakly_canonical(b, ignored);
}

void check_place(const NamedPath& output) {
    const std::filesystem::path folder = std::filesystem::path(output.path).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder)) {
        throw Error(ErrorCode::kUsage,
                    "the folder of " + output.flag + " does not exist: " + folder.string(),
                    "make it first");
    }
    if (std::filesystem::is_directory(output.path)) {
        throw Error(ErrorCode::kUsage, output.flag + " is a folder: " + output.path,
                    "name a file in it");
    }
    if (::access(folder.empty() ? "." : folder.c_str(), W_OK) != 0) {
        throw Error(ErrorCode::kUsage, "the folder of " + output.flag + " cannot be written to",
                    "choose another folder or change its permissions");
    }
}

void check_distinct(const NamedPath& output, const NamedPath& other) {
    if (other.path.empty() || !same_file(output.path, other.path)) return;
    throw Error(ErrorCode::kUsage,
                output.flag + " and " + other.flag + " are the same file: " + output.path,
                "give each file a name of its own");
}

}  // namespace

void check_outputs(const std::vector<NamedPath>& inputs, const std::vector<NamedPath>& outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) {
        if (outputs[i].path.empty()) continue;
        check_place(outputs[i]);
        for (const NamedPath& input : inputs) check_distinct(outputs[i], input);
        for (size_t j = 0; j < i; ++j) check_distinct(outputs[i], outputs[j]);
    }
}

}  // namespace ward::cli
