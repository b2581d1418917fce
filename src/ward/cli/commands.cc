#include "ward/cli/internal/commands.h"

namespace ward::cli {

void add_all_commands(CLI::App& app) {
#ifdef WARD_HAS_TORCH
    add_train_command(app);
    add_evaluate_command(app);
    add_predict_command(app);
    add_attack_command(app);
    add_audit_command(app);
#endif
    add_inspect_command(app);
    add_report_command(app);
    add_account_command(app);
    add_key_command(app);
    add_encrypt_command(app);
    add_decrypt_command(app);
    add_rewrap_command(app);
    add_sign_command(app);
    add_verify_command(app);
    add_data_command(app);
    add_mpc_command(app);
    add_he_command(app);
    add_doctor_command(app);
}

}  // namespace ward::cli
