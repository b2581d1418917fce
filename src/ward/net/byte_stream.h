// A reliable stream of bytes in both directions between two parties: what a Channel is built upon.
//
// Implementations: an in-process pair (`memory_pipe`) for tests and simulations, and TLS 1.3 over a
// socket (`tls_byte_stream`). Thread safety: one thread may read while another writes; `abort` may
// come from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "ward/core/bytes.h"
#include "ward/crypto/tls.h"

namespace ward::net {

class ByteStream {
  public:
    virtual ~ByteStream() = default;

    // Fills `out`. Throws Error kCorrupt when the peer ends before, kIo after a timeout.
    virtual void read_all(std::span<uint8_t> out) = 0;
    virtual void write(ByteView data) = 0;
    // Ends every call that waits, on both sides; they throw.
    virtual void abort() noexcept = 0;
    // Bytes handed to the network so far, with what encryption adds.
    virtual uint64_t wire_bytes_sent() const = 0;
};

// A link that exists in memory only.
struct PipeOptions {
    std::chrono::milliseconds timeout{0};        // of a read or write without progress; 0: none
    size_t capacity_bytes = size_t{1} << 20;     // a writer waits while more are unread
    std::chrono::microseconds one_way_delay{0};  // bytes arrive so long after they were written
    double bytes_per_second = 0;                 // of each direction; 0: without a limit
};

// Two connected ends inside this process. With a delay, take a capacity above what is under way at
// a time. Throws Error kUsage for a capacity of 0 or a negative delay or rate.
std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>> memory_pipe(
    const PipeOptions& options = {});

std::unique_ptr<ByteStream> tls_byte_stream(crypto::TlsStream stream);

}  // namespace ward::net
