// `ward attack`: attacks on a trained model, before an enemy makes them.
#include <CLI/CLI.hpp>

#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/commands.h"

namespace ward::cli {

void add_attack_command(CLI::App& app) {
    auto* command =
        app.add_subcommand("attack", "Attack a trained model the way an enemy would, and measure");
    command->require_subcommand(1);
    add_attack_evasion_command(*command);
    add_attack_membership_command(*command);
    add_attack_poison_command(*command);
    add_attack_gradient_inversion_command(*command);
}

}  // namespace ward::cli
