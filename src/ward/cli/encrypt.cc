// `ward encrypt`, `ward decrypt` and `ward rewrap`: files in the age format, and models encrypted
// tensor by tensor.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/recipient_options.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/age.h"
#include "ward/crypto/sealed_container.h"
#include "ward/model/safetensors.h"

namespace ward::cli {
namespace {

struct Options {
    std::string in = "-";
    std::string out = "-";
    bool per_tensor = false;
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

bool is_sealed_container(const std::string& path) {
    if (path == "-" || !std::filesystem::is_regular_file(path)) return false;
    crypto::FileSource file(path);
    Bytes first(64);
    first.resize(file.read(first));
    return crypto::looks_like_sealed_container(first);
}

// The tensors by name, and as the header all that comes before them in the file.
void encrypt_tensors(const std::string& path, crypto::ByteSink& out,
                     const crypto::AgeRecipients& recipients) {
    const MappedFile mapped(path);  // for the header; the tensors are read as they are needed
    const model::TensorTable table = model::parse_safetensors(mapped.bytes(), path);
    std::vector<crypto::NamedPart> parts;
    for (const model::TensorEntry& tensor : table.tensors) {
        parts.push_back({tensor.name, table.data_offset + tensor.begin, tensor.end - tensor.begin});
    }
    const ByteView header = mapped.bytes().first(table.data_offset);
    crypto::write_sealed_container(out, header, crypto::FileSource(path), parts, recipients);
}

void decrypt_tensors(const std::string& path, crypto::ByteSink& out, const crypto::AgeKeys& keys) {
    const crypto::SealedReader reader(path, keys);
    out.write(reader.header());
    for (const crypto::SealedEntry& entry : reader.entries()) reader.read(entry, out);
}

void run_encrypt(const Options& options) {
    check_files(options, !options.recipients.armor);
    const crypto::AgeRecipients recipients = load_recipients(options.recipients);
    if (options.per_tensor) {
        if (options.in == "-") {
            throw Error(ErrorCode::kUsage, "--per-tensor needs a file for IN, got -");
        }
        crypto::FileSink out(options.out);
        encrypt_tensors(options.in, out, recipients);
        out.commit();
        return;
    }
    crypto::FileSource in(options.in);
    crypto::FileSink out(options.out);
    crypto::age_encrypt(in, out, recipients, options.recipients.armor);
    out.commit();
}

void run_decrypt(const Options& options) {
    check_files(options, false);
    const crypto::AgeKeys keys = load_keys(options.identities);
    const bool sealed = is_sealed_container(options.in);
    crypto::FileSource in(options.in);
    crypto::FileSink out(options.out);
    with_file_name(options.in, [&] {
        sealed ? decrypt_tensors(options.in, out, keys) : crypto::age_decrypt(in, out, keys);
    });
    out.commit();
}

void run_rewrap(const Options& options) {
    check_files(options, !options.recipients.armor);
    const crypto::AgeKeys keys = load_keys(options.identities);
    const crypto::AgeRecipients recipients = load_recipients(options.recipients);
    const bool sealed = is_sealed_container(options.in);
    if (sealed && options.recipients.armor) {
        throw Error(ErrorCode::kUsage, "--armor is for age files, not for a sealed container");
    }
    crypto::FileSource in(options.in);
    crypto::FileSink out(options.out);
    with_file_name(options.in, [&] {
        if (sealed) {
            crypto::rewrap_sealed_container(options.in, out, keys, recipients);
        } else {
            crypto::age_rewrap(in, out, keys, recipients, options.recipients.armor);
        }
    });
    out.commit();
}

}  // namespace

void add_encrypt_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "encrypt", "Encrypt a file for public keys or with a passphrase (age format)");
    auto options = std::make_shared<Options>();
    add_recipient_options(*command, options->recipients);
    command
        ->add_flag("--per-tensor", options->per_tensor,
                   "Encrypt each tensor of a .safetensors file by itself (a sealed container)")
        ->excludes("--armor");
    add_files(*command, *options);
    command->footer(
        "Examples:\n  ward encrypt -r age1... patients.csv patients.csv.age\n"
        "  ward encrypt --per-tensor -R team.txt model.safetensors model.sealed\n"
        "  tar c models | ward encrypt -R team.txt - models.tar.age");
    command->callback([options] { run_encrypt(*options); });
}

void add_decrypt_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "decrypt", "Decrypt an age file or model; nothing appears unless all is authentic");
    auto options = std::make_shared<Options>();
    add_identity_options(*command, options->identities);
    add_files(*command, *options);
    command->footer(
        "Examples:\n  ward decrypt -i key.txt patients.csv.age patients.csv\n"
        "  ward decrypt --passphrase-fd 3 model.age model.safetensors 3<pass.txt");
    command->callback([options] { run_decrypt(*options); });
}

void add_rewrap_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "rewrap", "Change who can open an encrypted file, without encrypting it anew");
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
