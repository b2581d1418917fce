#include "ward/cli/internal/network_options.h"

#include "ward/cli/internal/passphrase.h"
#include "ward/crypto/key_file.h"

namespace ward::cli {

void add_network_options(CLI::App& command, NetworkOptions& options) {
    command.add_option("--party", options.identity, "Who this is: NAME of `ward key party`")
        ->required();
    command.add_option("--pins", options.pins, "File with a line NAME PIN for each peer")
        ->required();
    command.add_option("--dir", options.directory,
                       "The folder with your keys [$WARD_KEY_DIR or ~/.config/ward/keys]");
    command
        .add_option("--party-passphrase-fd", options.passphrase_fd,
                    "Read the passphrase of the party's key from this file descriptor")
        ->check(CLI::NonNegativeNumber);
}

crypto::NetworkIdentity load_network_identity(const NetworkOptions& options) {
    const crypto::KeyDirectory directory(
        options.directory.empty() ? crypto::KeyDirectory::default_path() : options.directory);
    return directory.load(options.identity, passphrase_source(options.passphrase_fd,
                                                              "Passphrase of the party's key"));
}

crypto::ExpectedPeer pinned_peers(const NetworkOptions& options, std::vector<std::string> names) {
    return {.names = std::move(names), .pins = crypto::load_pins(options.pins), .authorities = {}};
}

}  // namespace ward::cli
