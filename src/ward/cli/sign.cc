// `ward sign` and `ward verify`: minisign signatures of files and of release folders.
#include <CLI/CLI.hpp>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/passphrase.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/key_file.h"
#include "ward/crypto/release.h"
#include "ward/crypto/signature.h"

namespace ward::cli {
namespace {

struct SignOptions {
    std::string key;
    std::string path;
    std::string signature;
    std::string comment;
    int passphrase_fd = -1;
};

struct VerifyOptions {
    std::vector<std::string> key_files;
    std::vector<std::string> keys;
    std::string path;
    std::string signature;
};

bool is_folder(const std::string& path) { return std::filesystem::is_directory(path); }

std::string default_comment(const std::string& path) {
    const std::string name = std::filesystem::path(path).filename().string();
    return "timestamp:" + std::to_string(std::time(nullptr)) + "\tfile:" + name + "\thashed";
}

void run_sign(const SignOptions& options) {
    const crypto::SigningKey key = crypto::load_signing_key(
        options.key, passphrase_source(options.passphrase_fd, "Passphrase of " + options.key));
    if (is_folder(options.path)) {
        if (!options.signature.empty()) {
            throw Error(ErrorCode::kUsage, "--signature is for files; a folder gets SHA256SUMS");
        }
        const std::string comment = options.comment.empty()
                                        ? default_comment(crypto::kReleaseManifestName)
                                        : options.comment;
        crypto::sign_release(options.path, key, comment);
        std::cout << (std::filesystem::path(options.path) / crypto::kReleaseSignatureName).string()
                  << "\n";
        return;
    }
    crypto::FileSource in(options.path);
    const std::string comment =
        options.comment.empty() ? default_comment(options.path) : options.comment;
    const std::string text = crypto::sign(in, key, {.trusted = comment});
    const std::string path =
        options.signature.empty() ? options.path + ".minisig" : options.signature;
    write_file_atomically(path, text);
    std::cout << path << "\n";
}

std::vector<crypto::VerificationKey> trusted_keys(const VerifyOptions& options) {
    std::vector<crypto::VerificationKey> keys;
    for (const std::string& path : options.key_files) {
        keys.push_back(crypto::load_verification_key(path));
    }
    for (const std::string& text : options.keys) {
        keys.push_back(crypto::VerificationKey::parse(text));
    }
    if (keys.empty()) {
        throw Error(ErrorCode::kUsage, "verification needs a trusted key",
                    "use --key-file signer.pub or --key RW...");
    }
    return keys;
}

void run_verify(const VerifyOptions& options) {
    const auto keys = trusted_keys(options);
    crypto::VerifiedSignature verified;
    size_t files = 1;
    if (is_folder(options.path)) {
        const crypto::VerifiedRelease release = crypto::verify_release(options.path, keys);
        verified = release.signature;
        files = release.files;
    } else {
        const std::string path =
            options.signature.empty() ? options.path + ".minisig" : options.signature;
        const std::string text = read_text_file(path, size_t{1} << 16);
        crypto::FileSource in(options.path);
        verified = crypto::verify(in, text, keys);
    }
    std::cout << "verified: " << options.path;
    if (is_folder(options.path)) std::cout << " (" << files << " files)";
    std::cout << "\nkey: " << keys[verified.key_index].number_text()
              << "\ntrusted comment: " << verified.trusted_comment << "\n";
}

}  // namespace

void add_sign_command(CLI::App& app) {
    auto* command =
        app.add_subcommand("sign", "Sign a file or a whole release folder (minisign format)");
    auto options = std::make_shared<SignOptions>();
    command->add_option("-s,--key", options->key, "The secret key, from `ward key new --signing`")
        ->required();
    command->add_option("PATH", options->path, "A file, or a folder (writes SHA256SUMS into it)")
        ->required();
    command->add_option("-x,--signature", options->signature,
                        "Where the signature goes (default: PATH.minisig)");
    command->add_option("-t,--comment", options->comment, "A comment that the signature covers");
    command
        ->add_option("--passphrase-fd", options->passphrase_fd,
                     "Read the key's passphrase from this file descriptor")
        ->check(CLI::NonNegativeNumber);
    command->footer(
        "Examples:\n  ward sign -s release.key model.safetensors\n"
        "  ward sign -s release.key -t 'version 1.2' release/");
    command->callback([options] { run_sign(*options); });
}

void add_verify_command(CLI::App& app) {
    auto* command =
        app.add_subcommand("verify", "Verify the signature of a file or a release folder");
    auto options = std::make_shared<VerifyOptions>();
    command->add_option("-k,--key-file", options->key_files,
                        "A trusted public key file, of ward or minisign (may be repeated)");
    command->add_option("-P,--key", options->keys, "A trusted public key, RW... (may be repeated)");
    command->add_option("PATH", options->path, "The file or folder that was signed")->required();
    command->add_option("-x,--signature", options->signature,
                        "The signature file (default: PATH.minisig)");
    command->footer(
        "Examples:\n  ward verify -k release.key.pub model.safetensors\n"
        "  ward verify -P RWQ... release/");
    command->callback([options] { run_verify(*options); });
}

}  // namespace ward::cli
