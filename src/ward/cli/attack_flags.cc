#include "ward/cli/internal/attack_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "ward/core/error.h"

namespace ward::cli {
namespace {

bool takes(const FlagUse& use, const std::string& attack) {
    return std::find(use.second.begin(), use.second.end(), attack) != use.second.end();
}

std::string taken_by(const std::string& attack, const std::vector<FlagUse>& uses) {
    std::string flags;
    for (const FlagUse& use : uses)
        if (takes(use, attack)) flags += (flags.empty() ? "" : ", ") + use.first;
    return attack + (flags.empty() ? " takes none of these" : " takes " + flags);
}

}  // namespace

void check_flags(const CLI::App& command, const std::string& attack,
                 const std::vector<FlagUse>& uses) {
    for (const FlagUse& use : uses) {
        if (command.count(use.first) == 0 || takes(use, attack)) continue;
        throw Error(ErrorCode::kUsage, attack + " does not take " + use.first,
                    taken_by(attack, uses));
    }
}

void require_positive(const CLI::App& command, const std::string& attack,
                      const std::vector<FlagUse>& uses, const std::vector<std::string>& flags) {
    for (const std::string& flag : flags) {
        if (command.count(flag) == 0) continue;
        const std::string given = command.get_option(flag)->results().back();
        try {
            if (std::stod(given) > 0) continue;
        } catch (const std::exception&) {
            continue;  // refused by the parser
        }
        throw Error(ErrorCode::kUsage, flag + " must be > 0, got " + given,
                    "leave it out for the attack's own; " + taken_by(attack, uses));
    }
}

}  // namespace ward::cli
