// `ward`: one program, one subcommand per task. See internal/commands.h for the rules.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "ward/cli/internal/commands.h"
#include "ward/core/error.h"
#ifdef WARD_HAS_TORCH
#include "ward/cli/internal/training_outcome.h"
#include "ward/nn/runtime.h"
#endif

namespace {

void print_error(const std::string& message, const std::string& hint) {
    std::fprintf(stderr, "ward: error: %s\n", message.c_str());
    if (!hint.empty()) std::fprintf(stderr, "ward: hint: %s\n", hint.c_str());
}

size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
        }
    }
    return row[b.size()];
}

const CLI::App* chosen_command(const CLI::App& app) {
    const CLI::App* current = &app;
    while (!current->get_subcommands().empty()) current = current->get_subcommands().front();
    return current;
}

// The option or subcommand of `command` nearest to what was typed, or nothing when none is near.
std::string nearest_name(const CLI::App& command, const std::string& typed) {
    std::string best;
    size_t best_distance = std::max<size_t>(2, typed.size() / 3) + 1;
    const auto consider = [&](const std::string& name) {
        const size_t distance = edit_distance(typed, name);
        if (distance < best_distance) {
            best_distance = distance;
            best = name;
        }
    };
    for (const CLI::Option* option : command.get_options()) {
        for (const std::string& name : option->get_lnames()) consider("--" + name);
    }
    for (const CLI::App* sub : command.get_subcommands({})) consider(sub->get_name());
    return best;
}

// "ward attack evasion"
std::string full_name(const CLI::App& command) {
    return command.get_parent() == nullptr
               ? "ward"
               : full_name(*command.get_parent()) + " " + command.get_name();
}

int report_usage_error(const CLI::App& app, const CLI::ParseError& error,
                       const std::vector<std::string>& arguments) {
    const CLI::App* command = chosen_command(app);
    std::string hint = "see `" + command->get_display_name() + " --help`";
    if (command->get_parent() != nullptr) hint = "see `" + full_name(*command) + " --help`";
    if (const auto extras = command->remaining(); !extras.empty()) {
        const std::string near =
            nearest_name(*command, extras.front().substr(0, extras.front().find('=')));
        if (!near.empty()) hint = "did you mean " + near + "?";
    } else if (command == &app && !arguments.empty()) {
        const std::string near = nearest_name(app, arguments.front());
        if (!near.empty()) hint = "did you mean `ward " + near + "`?";
    }
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    // CLI11 writes "any number from 0 on" with the 309 digits of the largest double.
    if (const size_t range = message.find("not in range 0"); range != std::string::npos)
        message =
            message.substr(0, range) +
            (message.find("Value 0 ") < range ? "is not a number > 0" : "is not a number >= 0");
    if (!message.empty())
        message[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[0])));
    if (command == &app && !arguments.empty() && !arguments.front().starts_with('-')) {
        message = "there is no command " + arguments.front();
        static constexpr std::array kTorchCommands = {"train", "evaluate", "predict", "attack",
                                                      "audit"};
        if (std::find(kTorchCommands.begin(), kTorchCommands.end(), arguments.front()) !=
            kTorchCommands.end()) {  // a full build has them all
            message += " in a build without LibTorch";
            hint = "build with the preset release, which has all commands";
        }
    }
    print_error(message, hint);
    return 2;
}

// A full disk or a failing device shows at the latest when the last bytes leave.
void check_output() {
    std::cout.flush();
    if (std::cout.good() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
    throw ward::Error(ward::ErrorCode::kIo, "cannot write all of the standard output",
                      "free some disk space, or choose another place for it");
}

int run(int argc, char** argv) {
    CLI::App app{"Privacy and security of neural networks, from raw data to the deployed model.",
                 "ward"};
    app.set_version_flag("--version", WARD_VERSION);
    app.require_subcommand(1);
    app.get_formatter()->column_width(34);
    ward::cli::add_all_commands(app);

    const std::vector<std::string> arguments(argv + 1, argv + argc);
    try {
        app.parse(argc, argv);
        check_output();
        return 0;
    } catch (const CLI::Success& wanted) {  // --help, --version
        return app.exit(wanted);
    } catch (const CLI::ParseError& error) {
        return report_usage_error(app, error, arguments);
    }
}

#ifndef WARD_HAS_TORCH
// Commands of this program; help and everything else is for the one that knows all commands.
bool needs_no_torch(int argc, char** argv) {
    static constexpr std::string_view kCommands[] = {
        "account", "data", "inspect", "report", "key", "encrypt",  "decrypt",
        "rewrap",  "sign", "verify",  "mpc",    "he",  "--version"};
    return argc > 1 &&
           std::find(std::begin(kCommands), std::end(kCommands), argv[1]) != std::end(kCommands);
}

// Replaces this process by `ward-torch` beside it; returns where there is none.
void hand_over_to_torch(char** argv) {
    std::error_code ignored;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
    execv((self.parent_path() / "ward-torch").c_str(), argv);
}
#endif

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error like a full disk
#ifdef WARD_HAS_TORCH
    ward::nn::tune_process(argv);
    ward::cli::remember_command_line(argc, argv);
#else
    if (!needs_no_torch(argc, argv)) hand_over_to_torch(argv);
#endif
    try {
        return run(argc, argv);
    } catch (const ward::Error& error) {
        print_error(error.message(), error.hint());
        return error.exit_code();
    } catch (const std::bad_alloc&) {
        print_error("out of memory", "use a smaller --micro-batch or a smaller model");
        return 1;
    } catch (const std::exception& error) {
        print_error(std::string("internal: ") + error.what(),
                    "please report this with the command you ran");
        return 1;
    }
}
