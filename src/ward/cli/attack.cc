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
    add_attack_patch_command(*command);
    add_attack_membership_command(*command);
    add_attack_exposure_command(*command);
    add_attack_attribute_command(*command);
    add_attack_poison_command(*command);
    add_attack_extraction_command(*command);
    add_attack_inversion_command(*command);
    add_attack_gradient_inversion_command(*command);
    add_attack_serve_target_command(*command);
    command->footer(
        "Examples:\n"
        "  ward attack evasion --attack autoattack --epsilon 0.03 --model m.safetensors --data "
        "digits\n"
        "  ward attack membership --model m.safetensors --data digits --shadows 16\n"
        "  ward attack extraction --model m.safetensors --data digits --queries 500\n"
        "Each with --help for its options. ward audit makes the attacks that the claims of a model "
        "are about.");
}

}  // namespace ward::cli
