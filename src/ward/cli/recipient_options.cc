#include "ward/cli/internal/recipient_options.h"

#include <CLI/CLI.hpp>

#include "ward/cli/internal/passphrase.h"
#include "ward/core/error.h"
#include "ward/crypto/key_file.h"

namespace ward::cli {

void add_recipient_options(CLI::App& command, RecipientOptions& options) {
    command
        .add_option("-r,--recipient", options.recipients,
                    "Encrypt for this public key, age1... (may be repeated)")
        ->allow_extra_args(false);
    command
        .add_option("-R,--recipients-file", options.files,
                    "Encrypt for the public keys in this file, one on each line (may be repeated)")
        ->allow_extra_args(false);
    auto* passphrase = command.add_flag("-p,--passphrase", options.passphrase,
                                        "Encrypt with a passphrase, asked on the terminal");
    command
        .add_option("--new-passphrase-fd", options.passphrase_fd,
                    "Encrypt with the passphrase on the first line of this file descriptor")
        ->check(CLI::NonNegativeNumber)
        ->excludes(passphrase);
    command.add_flag("-a,--armor", options.armor, "Write text (PEM) instead of bytes");
}

crypto::AgeRecipients load_recipients(const RecipientOptions& options) {
    crypto::AgeRecipients out;
    for (const std::string& text : options.recipients) {
        out.recipients.push_back(crypto::AgeRecipient::parse(text));
    }
    for (const std::string& path : options.files) {
        for (const crypto::AgeRecipient& recipient : crypto::load_recipients(path)) {
            out.recipients.push_back(recipient);
        }
    }
    const bool passphrase = options.passphrase || options.passphrase_fd >= 0;
    if (passphrase == !out.recipients.empty()) {
        throw Error(ErrorCode::kUsage,
                    passphrase ? "a passphrase cannot be mixed with recipients"
                               : "encryption needs --recipient, --recipients-file or --passphrase",
                    "see `ward encrypt --help`; `ward key new` makes a key");
    }
    if (passphrase) {
        out.passphrase = read_passphrase(options.passphrase_fd, "New passphrase", true);
    }
    return out;
}

void add_identity_options(CLI::App& command, IdentityOptions& options) {
    command
        .add_option("-i,--identity", options.files,
                    "A file of secret keys, AGE-SECRET-KEY-1... (may be repeated)")
        ->allow_extra_args(false);  // what follows the file is the next positional argument
    command
        .add_option("--passphrase-fd", options.passphrase_fd,
                    "Read the passphrase from the first line of this file descriptor instead of "
                    "the terminal")
        ->check(CLI::NonNegativeNumber);
}

crypto::AgeKeys load_keys(const IdentityOptions& options) {
    crypto::AgeKeys out;
    for (const std::string& path : options.files) {
        const auto passphrase = passphrase_source(options.passphrase_fd, "Passphrase of " + path);
        for (crypto::AgeIdentity& identity : crypto::load_identities(path, passphrase)) {
            out.identities.push_back(std::move(identity));
        }
    }
    // With identities given, a passphrase is their own.
    if (options.files.empty()) {
        out.passphrase = passphrase_source(options.passphrase_fd, "Passphrase");
    }
    return out;
}

}  // namespace ward::cli
