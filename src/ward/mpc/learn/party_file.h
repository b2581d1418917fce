// The party file of a node: who it is, whom it talks to, what it brings. YAML, all keys checked
// before a byte is sent. Keys and an example are in docs/mpc.md. Thread safety: free functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ward/net/connect.h"

namespace ward::mpc {

struct PartyFile {
    struct Peer {
        std::string name;
        std::string pin;
    };
    int index = 0;
    std::string identity;  // name of an own key (`ward key party`)
    std::string keys;      // its folder; empty: the default one
    net::Endpoint listen;
    net::Endpoint next_address;
    Peer next, previous;
    std::string data;                 // of this owner; empty: it brings none
    std::vector<std::string> shares;  // files of owners that are no party (`ward mpc share`)
    std::string shares_key;           // file of the age key that opens them
    std::string checkpoint;           // file; empty: none
    std::string checkpoint_key;       // file of 32 bytes
    uint64_t checkpoint_steps = 100;
    uint64_t connect_seconds = 300;  // so long the others may take to come
    uint64_t silence_seconds = 300;  // so long a message may take
};

// Throws Error kInvalid with `name` and the line: unknown, repeated or missing keys, values out of
// range.
PartyFile parse_party(std::string_view text, const std::string& name);
// Also throws Error kNotFound and kIo.
PartyFile read_party(const std::string& path);

}  // namespace ward::mpc
