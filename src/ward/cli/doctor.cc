// `ward doctor`: what this machine offers to Ward, and what to mend.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "ward/cli/internal/commands.h"
#include "ward/core/cpu.h"
#include "ward/core/parallel.h"

namespace ward::cli {
namespace {

nlohmann::ordered_json findings() {
    const CpuFeatures& cpu = cpu_features();
    return {
        {"version", WARD_VERSION},        {"cpu", cpu.brand},
        {"isa", isa_name(isa())},         {"avx2", cpu.avx2},
        {"avx512", cpu.avx512},           {"avx512_ifma", cpu.avx512_ifma},
        {"avx512_bf16", cpu.avx512_bf16}, {"amx_bf16", cpu.amx_bf16},
        {"threads", num_threads()},
    };
}

void run_doctor(bool as_json) {
    const nlohmann::ordered_json found = findings();
    if (as_json) {
        std::cout << found.dump(2) << "\n";
        return;
    }
    for (const auto& [key, value] : found.items()) {
        std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        if (value.is_boolean()) text = value.get<bool>() ? "yes" : "no";
        std::cout << key << std::string(16 - std::min<size_t>(key.size(), 15), ' ') << text << "\n";
    }
}

}  // namespace

void add_doctor_command(CLI::App& app) {
    auto* command =
        app.add_subcommand("doctor", "Processor, instruction sets, threads and libraries in use");
    auto as_json = std::make_shared<bool>(false);
    command->add_flag("--json", *as_json, "Print one JSON object");
    command->footer("Examples:\n  ward doctor\n  ward doctor --json");
    command->callback([as_json] { run_doctor(*as_json); });
}

}  // namespace ward::cli
