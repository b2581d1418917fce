// `ward key new` and `ward key show`: keys for encryption and for signatures. See also
// key_network.cc.
#include <CLI/CLI.hpp>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/key_network.h"
#include "ward/cli/internal/passphrase.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/key_file.h"

namespace ward::cli {
namespace {

struct NewOptions {
    std::string out;
    bool signing = false;
    bool passphrase = false;
    int passphrase_fd = -1;
};

std::string now_utc() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

SecretBytes new_passphrase(const NewOptions& options) {
    if (!options.passphrase && options.passphrase_fd < 0) return {};
    return read_passphrase(options.passphrase_fd, "Passphrase of the new key", true);
}

void new_identity(const NewOptions& options) {
    const crypto::AgeIdentity identity = crypto::AgeIdentity::generate();
    const SecretBytes text = crypto::identity_file_text(identity, now_utc());
    crypto::AgeRecipients recipients;
    recipients.passphrase = new_passphrase(options);
    if (recipients.passphrase.empty()) {
        crypto::write_secret_file(options.out, text.reveal());
    } else {
        crypto::MemorySource in(text.reveal());
        crypto::MemorySink encrypted;
        crypto::age_encrypt(in, encrypted, recipients, true);
        crypto::write_secret_file(options.out, encrypted.bytes());
    }
    std::cout << identity.recipient().text() << "\n";
}

void new_signing_key(const NewOptions& options) {
    const std::string public_path = options.out + ".pub";
    if (std::filesystem::exists(public_path)) {
        throw Error(ErrorCode::kIo, "cannot create " + public_path + ": File exists",
                    "move the old key away first; keys are never overwritten");
    }
    const crypto::SigningKey key = crypto::SigningKey::generate();
    crypto::write_secret_file(options.out, key.file_text(new_passphrase(options)).reveal());
    write_file_atomically(public_path, key.verification_key().file_text());
    std::cout << key.verification_key().text() << "\n";
}

void show(const std::string& path, int passphrase_fd) {
    if (show_certificates(path)) return;
    const auto passphrase = passphrase_source(passphrase_fd, "Passphrase of " + path);
    for (const crypto::AgeIdentity& identity : crypto::load_identities(path, passphrase)) {
        std::cout << identity.recipient().text() << "\n";
    }
}

void add_new(CLI::App& parent) {
    auto* command = parent.add_subcommand("new", "Make a key; its public half goes to stdout");
    auto options = std::make_shared<NewOptions>();
    command->add_option("OUT", options->out, "The secret key file to create, mode 0600")
        ->required();
    command->add_flag("--signing", options->signing,
                      "A minisign key for `ward sign` (OUT and OUT.pub) instead of an age key");
    command->add_flag("-p,--passphrase", options->passphrase,
                      "Encrypt the file with a passphrase, asked on the terminal");
    command
        ->add_option("--passphrase-fd", options->passphrase_fd,
                     "Encrypt it with the passphrase on the first line of this file descriptor")
        ->check(CLI::NonNegativeNumber);
    command->footer("Examples:\n  ward key new key.txt\n  ward key new --signing -p release.key");
    command->callback(
        [options] { options->signing ? new_signing_key(*options) : new_identity(*options); });
}

void add_show(CLI::App& parent) {
    auto* command = parent.add_subcommand(
        "show", "Print the public keys of an identity file, or the pins of certificates");
    struct Options {
        std::string path;
        int passphrase_fd = -1;
    };
    auto options = std::make_shared<Options>();
    command->add_option("FILE", options->path, "An identity or certificate file")->required();
    command->add_option("--passphrase-fd", options->passphrase_fd,
                        "Read the file's passphrase from this file descriptor");
    command->footer(
        "Examples:\n  ward key show key.txt\n  ward key show key.txt >> team.txt\n"
        "  ward key show hospital-a.crt >> pins.txt");
    command->callback([options] { show(options->path, options->passphrase_fd); });
}

}  // namespace

void add_key_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "key", "Make and show keys for encryption, signatures and network parties");
    command->require_subcommand(1);
    add_new(*command);
    add_show(*command);
    add_key_network_commands(*command);
    command->footer(
        "Encryption and signatures: new, show. Parties of a network (mpc, he serve): party, and "
        "with an\n"
        "authority of your own ca, issue, install.\n"
        "Examples:\n  ward key new key.txt\n  ward key party hospital-a\n"
        "  ward key ca consortium");
}

}  // namespace ward::cli
