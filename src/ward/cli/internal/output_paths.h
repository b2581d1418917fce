// Files that a command writes must not be files that it reads, nor each other.
#pragma once

#include <string>
#include <vector>

namespace ward::cli {

struct NamedPath {
    std::string flag;  // "--out"
    std::string path;  // empty: not given
};

// Throws Error kUsage where an output is the same file as an input or as another output (by name,
// link or another spelling), lies in a folder that is missing or read-only, or is a folder.
void check_outputs(const std::vector<NamedPath>& inputs, const std::vector<NamedPath>& outputs);

}  // namespace ward::cli
