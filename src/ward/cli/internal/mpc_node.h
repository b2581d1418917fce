// `ward mpc node`: one party on a machine of its own.
#pragma once

#include <CLI/CLI.hpp>

namespace ward::cli {

void add_mpc_node(CLI::App& group);

}  // namespace ward::cli
