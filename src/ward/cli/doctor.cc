// `ward doctor`: what this machine offers to Ward, and what to mend.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ward/cli/internal/commands.h"
#include "ward/core/cpu.h"
#include "ward/core/parallel.h"
#ifdef WARD_HAS_TORCH
#include "ward/nn/runtime.h"
#endif

namespace ward::cli {
namespace {

#ifdef WARD_HAS_TORCH
// What slows training on this machine, and what to do about it.
std::vector<std::string> advice() {
    std::vector<std::string> list;
    const std::string blas = nn::blas_description();
    if (blas == "none") {
        list.push_back("no OpenBLAS is linked: install libopenblas-openmp-dev and build again");
    } else if (blas.find("OpenMP") == std::string::npos) {
        list.push_back(
            "this OpenBLAS does not share threads with LibTorch: install libopenblas-openmp-dev "
            "and build again");
    }
    if (cpu_features().avx512 && blas.find("Haswell") != std::string::npos) {
        list.push_back(
            "OPENBLAS_CORETYPE in your environment keeps matrix products from using AVX-512: unset "
            "it");
    }
    return list;
}
#endif

nlohmann::ordered_json findings() {
    const CpuFeatures& cpu = cpu_features();
    nlohmann::ordered_json found = {
        {"version", WARD_VERSION},        {"cpu", cpu.brand},
        {"isa", isa_name(isa())},         {"avx2", cpu.avx2},
        {"avx512", cpu.avx512},           {"avx512_ifma", cpu.avx512_ifma},
        {"avx512_bf16", cpu.avx512_bf16}, {"amx_bf16", cpu.amx_bf16},
        {"threads", num_threads()},
    };
#ifdef WARD_HAS_TORCH
    found["libtorch"] = nn::torch_version();
    found["blas"] = nn::blas_description();
    found["advice"] = advice();
#endif
    return found;
}

void run_doctor(bool as_json) {
    const nlohmann::ordered_json found = findings();
    if (as_json) {
        std::cout << found.dump(2) << "\n";
        return;
    }
    for (const auto& [key, value] : found.items()) {
        if (value.is_array()) continue;
        std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        if (value.is_boolean()) text = value.get<bool>() ? "yes" : "no";
        std::cout << key << std::string(16 - std::min<size_t>(key.size(), 15), ' ') << text << "\n";
    }
    for (const auto& line : found.value("advice", nlohmann::ordered_json::array())) {
        std::cout << "advice          " << line.get<std::string>() << "\n";
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
