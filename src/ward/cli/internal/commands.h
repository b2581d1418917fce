// The subcommands of `ward`. Each function adds one to the application: its options, its help with
// two examples, and the callback that runs it. A callback parses, calls the library, prints; it
// throws ward::Error and nothing else.
//
// Results go to standard output (with --json: one JSON document and nothing else), all else to
// standard error.
#pragma once

namespace CLI {
class App;
}

namespace ward::cli {

void add_account_command(CLI::App& app);
void add_data_command(CLI::App& app);
void add_doctor_command(CLI::App& app);
void add_mpc_command(CLI::App& app);
void add_he_command(CLI::App& app);

// Only in builds with LibTorch.
void add_train_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_predict_command(CLI::App& app);
void add_attack_command(CLI::App& app);
void add_audit_command(CLI::App& app);

void add_inspect_command(CLI::App& app);
void add_report_command(CLI::App& app);

void add_key_command(CLI::App& app);
void add_encrypt_command(CLI::App& app);
void add_decrypt_command(CLI::App& app);
void add_rewrap_command(CLI::App& app);
void add_sign_command(CLI::App& app);
void add_verify_command(CLI::App& app);

// All of them, in the order of the help text.
void add_all_commands(CLI::App& app);

}  // namespace ward::cli
