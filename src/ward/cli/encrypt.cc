// `ward encrypt`, `ward decrypt` and `ward rewrap`: files in the age format.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/recipient_options.h"
#include "ward/core/error.h"
#include "ward/crypto/age.h"

namespace ward::cli {
namespace {

struct Options {
    std::string in = "-";
    std::string out = "-";
    RecipientOptions recipients;
    IdentityOptions identities;
};

void add_files(CLI::App& command, Options& options) {
    command.add_option("IN", options.in, "The file to read; - is standard input")->required();
    command.add_option("OUT", options.out, "The file to write; - is standard output")->required();
}

void check_files(const Options& options, bool binary_output) {
    std::error_code ignored;
    if (options.in != "-" && options.out != "-" &&
        std::filesystem::equivalent(options.in, options.out, ignored)) {
        throw Error(ErrorCode::kUsage, "IN and OUT are the same file: " + options.in,
                    "write to another name and move it afterwards");
    }
    if (options.out == "-" && binary_output && ::isatty(STDOUT_FILENO) == 1) {
        throw Error(ErrorCode::kUsage, "bytes are not written to a terminal",
                    "use --armor, or give a file for OUT");
    }
}

// Foreign errors get the name of the file in front.
template <typename Work>
void with_file_name(const std::string& path, Work work) {
    try {
        work();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kCorrupt && error.code() != ErrorCode::kInvalid) throw;
        throw Error(error.code(), (path == "-" ? "standard input" : path) + ": " + error.message(),
                    error.hint());
    }
}

void run_encrypt(const Options& options) {
    check_files(options, !options.recipients.armor);
    const crypto::AgeRecipients recipients = load_recipients(options.recipients);
    crypto::FileSource in(options.in);
    crypto::FileSink out(options.out);
    crypto::age_encrypt(in, out, recipients, options.recipients.armor);
    out.commit();
}

void run_decrypt(const Options& options) {
    check_files(options, false);
    const crypto::AgeKeys keys = load_keys(options.identities);
    crypto::FileSource in(options.in);
    crypto::FileSink out(options.out);
    with_file_name(options.in, [&] { crypto::age_decrypt(in, out, keys); });
    out.commit();
}

void run_rewrap(const Options& options) {
    check_files(options, !options.recipients.armor);
    const crypto::AgeKeys keys = load_keys(options.identities);
    const crypto::AgeRecipients recipients = load_recipients(options.recipients);
    crypto::FileSource in(options.in);
    crypto::FileSink out(options.out);
    with_file_name(options.in, [&] {
        crypto::age_rewrap(in, out, keys, recipients, options.recipients.armor);
    });
    out.commit();
}

}  // namespace

void add_encrypt_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "encrypt", "Encrypt a file for public keys or with a passphrase (age format)");
    auto options = std::make_shared<Options>();
    add_recipient_options(*command, options->recipients);
    add_files(*command, *options);
    command->footer(
        "Examples:\n  ward encrypt -r age1... patients.csv patients.csv.age\n"
        "  tar c models | ward encrypt -R team.txt - models.tar.age");
    command->callback([options] { run_encrypt(*options); });
}

void add_decrypt_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "decrypt", "Decrypt an age file; nothing appears unless all is authentic");
    auto options = std::make_shared<Options>();
    add_identity_options(*command, options->identities);
    add_files(*command, *options);
    command->footer(
        "Examples:\n  ward decrypt -i key.txt patients.csv.age patients.csv\n"
        "  ward decrypt --passphrase-fd 3 model.age model.safetensors 3<pass.txt");
    command->callback([options] { run_decrypt(*options); });
}

void add_rewrap_command(CLI::App& app) {
    auto* command =
        app.add_subcommand("rewrap", "Change who can open an age file, without encrypting it anew");
    auto options = std::make_shared<Options>();
    add_identity_options(*command, options->identities);
    add_recipient_options(*command, options->recipients);
    add_files(*command, *options);
    command->footer(
        "Who could open IN and kept its file key can open OUT too; to lock somebody out,\n"
        "decrypt and encrypt.\n\n"
        "Examples:\n  ward rewrap -i key.txt -r age1new... old.age new.age\n"
        "  ward rewrap -i key.txt -R team.txt data.age data-team.age");
    command->callback([options] { run_rewrap(*options); });
}

}  // namespace ward::cli
