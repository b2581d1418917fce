// Channels over TCP with TLS 1.3, both sides authenticated (crypto/tls.h).
//
//   Listener listener({"0.0.0.0", 7070});
//   auto channel = accept_channel(listener, self, expected);            // one party
//   auto channel = connect_channel({"10.0.0.2", 7070}, self, expected); // the other
//
// Threat: as crypto/tls.h; a peer is who holds a pinned or vouched-for key, whatever its address.
// Thread safety: free functions; a Listener belongs to one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "ward/crypto/identity.h"
#include "ward/crypto/tls.h"
#include "ward/net/channel.h"

namespace ward::net {

struct Endpoint {
    std::string host;  // name or address
    uint16_t port = 0;
};

// From "HOST:PORT"; brackets around an IPv6 address. Throws Error kInvalid.
Endpoint parse_endpoint(const std::string& text);

struct ConnectOptions {
    std::chrono::milliseconds connect_timeout{30'000};  // the peer may start later than we do
    std::chrono::milliseconds idle_timeout{60'000};     // of a message that does not come
    std::string protocol = "ward-net/1";                // ALPN; both sides must name the same
    ChannelOptions channel;
};

class Listener {
  public:
    // Port 0 takes any free one. Throws Error kIo when the address cannot be had.
    explicit Listener(const Endpoint& endpoint);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    uint16_t port() const { return port_; }
    // A connected socket, owned by the caller. Throws Error kIo after the timeout.
    int accept(std::chrono::milliseconds timeout);

  private:
    int socket_ = -1;
    uint16_t port_ = 0;
};

// Waits for one peer; the channel's peer() is its name by pin or authority. Throws Error kIo,
// kRefused, kUnsupported, kCorrupt as TlsStream::accept does.
std::unique_ptr<Channel> accept_channel(Listener& listener, const crypto::NetworkIdentity& self,
                                        const crypto::ExpectedPeer& expected,
                                        const ConnectOptions& options = {});
// The same over a socket from Listener::accept, which it takes.
std::unique_ptr<Channel> accept_channel(int socket, const crypto::NetworkIdentity& self,
                                        const crypto::ExpectedPeer& expected,
                                        const ConnectOptions& options = {});

// Tries again until the timeout while nobody listens there.
std::unique_ptr<Channel> connect_channel(const Endpoint& endpoint,
                                         const crypto::NetworkIdentity& self,
                                         const crypto::ExpectedPeer& expected,
                                         const ConnectOptions& options = {});

}  // namespace ward::net
