#include "ward/mpc/connect.h"

namespace ward::mpc {

PartyLinks connect_parties(int index, net::Listener& listener, const net::Endpoint& next_endpoint,
                           const crypto::NetworkIdentity& self,
                           const crypto::ExpectedPeer& previous, const crypto::ExpectedPeer& next,
                           net::ConnectOptions options) {
    options.protocol = "ward-mpc/1";
    PartyLinks links;
    // A handshake needs both sides at once; party 0 begins, so no circle of waiting closes.
    if (index == 0) links.next = net::connect_channel(next_endpoint, self, next, options);
    links.previous = net::accept_channel(listener, self, previous, options);
    if (index != 0) links.next = net::connect_channel(next_endpoint, self, next, options);
    return links;
}

}  // namespace ward::mpc
