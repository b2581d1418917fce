// `ward key party`, `ca`, `issue` and `install`: identities for connections between parties.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace ward::cli {

void add_key_network_commands(CLI::App& key_command);

// Prints the certificates of a PEM file as lines for a file of pins. False when it holds none.
bool show_certificates(const std::string& path);

}  // namespace ward::cli
