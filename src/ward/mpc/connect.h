// The links of a party over the network: a ring of three TLS connections.
#pragma once

#include <memory>

#include "ward/crypto/identity.h"
#include "ward/crypto/tls.h"
#include "ward/net/channel.h"
#include "ward/net/connect.h"

namespace ward::mpc {

struct PartyLinks {
    std::unique_ptr<net::Channel> previous;
    std::unique_ptr<net::Channel> next;
};

// Party `index` listens for party index-1 and connects to party index+1, which listens at
// `next_endpoint`; who answers is checked against the two expected peers. Waits for the others up
// to options.connect_timeout. Throws what net::accept_channel and net::connect_channel throw.
PartyLinks connect_parties(int index, net::Listener& listener, const net::Endpoint& next_endpoint,
                           const crypto::NetworkIdentity& self,
                           const crypto::ExpectedPeer& previous, const crypto::ExpectedPeer& next,
                           net::ConnectOptions options = {});

}  // namespace ward::mpc
