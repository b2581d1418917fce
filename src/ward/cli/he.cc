// `ward he`: computing on encrypted data.
#include <CLI/CLI.hpp>

#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/he.h"

namespace ward::cli {

void add_he_command(CLI::App& app) {
    auto* group = app.add_subcommand("he", "Run models on encrypted data");
    group->require_subcommand(1);
    add_he_plan_command(*group);
    add_he_keygen_command(*group);
    add_he_encrypt_input_command(*group);
    add_he_infer_command(*group);
    add_he_decrypt_command(*group);
}

}  // namespace ward::cli
