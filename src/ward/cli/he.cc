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
    add_he_encrypt_model_command(*group);
    add_he_serve_command(*group);
    add_he_query_command(*group);
    group->footer(
        "On one machine, to measure:        ward he plan|infer MODEL --data SET\n"
        "Two sides that exchange files:     plan --out, keygen, encrypt-input, infer --input, "
        "decrypt\n"
        "Two sides over the network (TLS):  serve, query\n"
        "Examples:\n  ward he infer m.safetensors --data mnist/ --count 100\n"
        "  ward he plan m.safetensors --out m.plan");
}

}  // namespace ward::cli
