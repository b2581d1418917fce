// Flags that only some attacks take: one that would change nothing is refused, not passed over.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace ward::cli {

// The attacks that take a flag.
using FlagUse = std::pair<std::string, std::vector<std::string>>;

// Throws Error kUsage for a flag that was given and that `attack` does not take; the hint names
// those of these flags that it does take.
void check_flags(const CLI::App& command, const std::string& attack,
                 const std::vector<FlagUse>& uses);

// Throws Error kUsage where one of these flags, of numbers, was given as less than 1: without them
// an attack has its own.
void require_positive(const CLI::App& command, const std::string& attack,
                      const std::vector<FlagUse>& uses, const std::vector<std::string>& flags);

}  // namespace ward::cli
