// `ward mpc share`, `intersect` and `reveal`: for owners and readers that are no party.
#pragma once

#include <CLI/CLI.hpp>

namespace ward::cli {

void add_mpc_share(CLI::App& group);
void add_mpc_intersect(CLI::App& group);
void add_mpc_reveal(CLI::App& group);

}  // namespace ward::cli
