#include "ward/net/connect.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>

#include "ward/core/error.h"

namespace ward::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBufferBytes = 1 << 20;
constexpr auto kRetryPause = std::chrono::milliseconds(50);

class OwnedSocket {
  public:
    explicit OwnedSocket(int descriptor) : descriptor_(descriptor) {}
    ~OwnedSocket() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    OwnedSocket(OwnedSocket&& other) noexcept : descriptor_(other.release()) {}
    OwnedSocket& operator=(OwnedSocket&&) = delete;
    int get() const { return descriptor_; }
    int release() { return std::exchange(descriptor_, -1); }

  private:
    int descriptor_;
};

struct AddressList {
    ~AddressList() {
        if (first != nullptr) ::freeaddrinfo(first);
    }
    addrinfo* first = nullptr;
};

std::string text_of(const Endpoint& endpoint) {
    return endpoint.host + ":" + std::to_string(endpoint.port);
}

void resolve(const Endpoint& endpoint, bool passive, AddressList& list) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
    const int code = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(),
                                   &wanted, &list.first);
    if (code != 0) {
        throw Error(ErrorCode::kIo,
                    "cannot find the host \"" + endpoint.host + "\": " + ::gai_strerror(code));
    }
}

// Small messages must leave at once; large ones should not wait for the reader.
void tune(int descriptor) {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &kBufferBytes, sizeof(kBufferBytes));
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof(kBufferBytes));
}

// A connected socket, or -1 with errno.
int try_connect(const addrinfo& address, Clock::time_point deadline) {
    OwnedSocket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.get() < 0) return -1;
    tune(socket.get());
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return socket.release();
    if (errno != EINPROGRESS) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd wanted = {socket.get(), POLLOUT, 0};
    if (::poll(&wanted, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) <= 0) {
        errno = ETIMEDOUT;
        return -1;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    return error == 0 ? socket.release() : -1;
}

int connect_tcp(const Endpoint& endpoint, std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    AddressList list;
    resolve(endpoint, false, list);
    int reason = 0;
    do {
        for (const addrinfo* address = list.first; address != nullptr; address = address->ai_next) {
            const int socket = try_connect(*address, deadline);
            if (socket >= 0) return socket;
            reason = errno;
        }
        std::this_thread::sleep_for(kRetryPause);
    } while (Clock::now() < deadline);
    throw Error(ErrorCode::kIo,
                "cannot connect to " + text_of(endpoint) + " for " +
                    std::to_string(timeout.count()) + " ms: " + std::strerror(reason),
                "check that the party runs and that no firewall is between");
}

crypto::TlsOptions tls_options(const ConnectOptions& options) {
    return {.handshake_timeout = options.connect_timeout,
            .idle_timeout = options.idle_timeout,
            .protocol = options.protocol};
}

std::unique_ptr<Channel> channel_over(crypto::TlsStream stream, const ConnectOptions& options) {
    std::string name = stream.peer().name;
    return std::make_unique<Channel>(tls_byte_stream(std::move(stream)), std::move(name),
                                     options.channel);
}

uint16_t bound_port(int socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    const void* raw = &address;
    return ntohs(address.ss_family == AF_INET6 ? static_cast<const sockaddr_in6*>(raw)->sin6_port
                                               : static_cast<const sockaddr_in*>(raw)->sin_port);
}

}  // namespace

Endpoint parse_endpoint(const std::string& text) {
    const size_t colon = text.rfind(':');
    const char* end = text.data() + text.size();
    Endpoint out;
    const auto parsed = colon == std::string::npos
                            ? std::from_chars_result{end, std::errc::invalid_argument}
                            : std::from_chars(text.data() + colon + 1, end, out.port);
    if (parsed.ec != std::errc() || parsed.ptr != end || colon == 0) {
        throw Error(ErrorCode::kInvalid, "an address must be HOST:PORT, got " + text);
    }
    out.host = text.substr(0, colon);
    if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
        out.host = out.host.substr(1, out.host.size() - 2);
    }
    return out;
}

Listener::Listener(const Endpoint& endpoint) {
    AddressList list;
    resolve(endpoint, true, list);
    int reason = 0;
    for (const addrinfo* address = list.first; address != nullptr; address = address->ai_next) {
        OwnedSocket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int on = 1;
        ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (::bind(socket.get(), address->ai_addr, address->ai_addrlen) == 0 &&
            ::listen(socket.get(), 16) == 0) {
            port_ = bound_port(socket.get());
            socket_ = socket.release();
            return;
        }
        reason = errno;
    }
    throw Error(ErrorCode::kIo,
                "cannot listen at " + text_of(endpoint) + ": " + std::strerror(reason));
}

Listener::~Listener() {
    if (socket_ >= 0) ::close(socket_);
}

int Listener::accept(std::chrono::milliseconds timeout) {
    pollfd wanted = {socket_, POLLIN, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(timeout.count()));
    const int socket = ready > 0 ? ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC) : -1;
    if (socket < 0) {
        throw Error(ErrorCode::kIo, "nobody connected to port " + std::to_string(port_) + " for " +
                                        std::to_string(timeout.count()) + " ms");
    }
    tune(socket);
    return socket;
}

std::unique_ptr<Channel> accept_channel(Listener& listener, const crypto::NetworkIdentity& self,
                                        const crypto::ExpectedPeer& expected,
                                        const ConnectOptions& options) {
    return accept_channel(listener.accept(options.connect_timeout), self, expected, options);
}

std::unique_ptr<Channel> accept_channel(int socket, const crypto::NetworkIdentity& self,
                                        const crypto::ExpectedPeer& expected,
                                        const ConnectOptions& options) {
    return channel_over(crypto::TlsStream::accept(socket, self, expected, tls_options(options)),
                        options);
}

std::unique_ptr<Channel> connect_channel(const Endpoint& endpoint,
                                         const crypto::NetworkIdentity& self,
                                         const crypto::ExpectedPeer& expected,
                                         const ConnectOptions& options) {
    const int socket = connect_tcp(endpoint, options.connect_timeout);
    return channel_over(crypto::TlsStream::connect(socket, self, expected, tls_options(options)),
                        options);
}

}  // namespace ward::net
