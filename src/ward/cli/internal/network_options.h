// Who this program is on the network, and who its peers may be: commands that talk over TLS.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "ward/crypto/identity.h"
#include "ward/crypto/tls.h"

namespace ward::cli {

struct NetworkOptions {
    std::string identity, directory, pins;
    int passphrase_fd = -1;
};

// --party, --pins, --dir, --party-passphrase-fd.
void add_network_options(CLI::App& command, NetworkOptions& options);

crypto::NetworkIdentity load_network_identity(const NetworkOptions& options);

// Those of the file of pins; only these of them unless `names` is empty.
crypto::ExpectedPeer pinned_peers(const NetworkOptions& options, std::vector<std::string> names);

}  // namespace ward::cli
