#include "ward/cli/internal/commands.h"

namespace ward::cli {

void add_all_commands(CLI::App& app) {
    add_data_command(app);
    add_doctor_command(app);
}

}  // namespace ward::cli
