// The options of commands that encrypt for somebody and open what somebody encrypted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ward/crypto/age.h"

namespace CLI {
class App;
}

namespace ward::cli {

struct RecipientOptions {
    std::vector<std::string> recipients;  // age1...
    std::vector<std::string> files;       // of recipients
    bool passphrase = false;
    int passphrase_fd = -1;
    bool armor = false;
};
void add_recipient_options(CLI::App& command, RecipientOptions& options);
crypto::AgeRecipients load_recipients(const RecipientOptions& options);

struct IdentityOptions {
    std::vector<std::string> files;
    int passphrase_fd = -1;
};
void add_identity_options(CLI::App& command, IdentityOptions& options);
crypto::AgeKeys load_keys(const IdentityOptions& options);

}  // namespace ward::cli
