// The bytes under a TLS connection: a non-blocking socket behind OpenSSL's BIO. Unlike BIO_s_socket
// it never raises SIGPIPE and counts what went over the wire.
#pragma once

#include <openssl/bio.h>

#include <atomic>
#include <cstdint>

namespace ward::crypto::internal {

// Owns the descriptor.
class Socket {
  public:
    // Throws Error kUsage unless it is an open stream socket, which becomes non-blocking.
    explicit Socket(int descriptor);
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    int descriptor() const { return descriptor_; }

    std::atomic<uint64_t> bytes_sent = 0;
    std::atomic<uint64_t> bytes_received = 0;
    int last_error = 0;  // errno of the call that failed last, 0 after an end of file

  private:
    int descriptor_;
};

// The socket must outlive the BIO.
BIO* new_socket_bio(Socket& socket);

}  // namespace ward::crypto::internal
