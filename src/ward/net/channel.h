// Framed, typed, counted messages between two named parties.
//
//   auto [alice, bob] = local_channels("alice", "bob");
//   alice->send(kGreeting, data);         // may be large: who also sends does not block the other
//   bob->receive(kGreeting, buffer);
//
// Every message carries a tag that says what it is for and its place in the stream. A message with
// another tag, length or place than the receiver expects is refused: parties that have come out of
// step (other versions, other jobs) stop at once instead of computing nonsense. Frames are
// described in docs/formats/mpc_frames.md.
//
// Large messages leave through a thread of their own, so two parties that send to each other before
// they receive do not wait for one another for ever; what the peer does not read stays with the
// sender (back-pressure).
//
// Threat: a peer that sends any bytes. Lengths are checked before memory is taken; who the peer is,
// and that nobody else changes or reorders frames, is the byte stream's matter (TLS).
//
// Errors: kIo for timeouts and lost connections, kCorrupt for frames that are not what they must
// be, kInterrupted when the peer says that it has failed; all name the peer and the step of the
// ledger. Thread safety: one thread uses a channel; `abort` may come from any.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "ward/core/bytes.h"
#include "ward/net/byte_stream.h"
#include "ward/net/ledger.h"

namespace ward::net {

inline constexpr size_t kFrameHeaderBytes = 16;

struct ChannelOptions {
    uint32_t max_message_bytes = uint32_t{1} << 30;  // longer ones are refused unread
};

class Channel {
  public:
    // `peer` is a name for people. The ledger must outlive the channel; without one nothing is
    // counted.
    Channel(std::unique_ptr<ByteStream> stream, std::string peer,
            const ChannelOptions& options = {});
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    const std::string& peer() const;
    void set_ledger(TrafficLedger* ledger);

    // Sends; the data may change after the call. Throws Error kUsage for a message above the cap.
    void send(uint32_t tag, ByteView data);

    // Begins to send without a copy; `data` must stay as it is until `finish_sends` has returned.
    void begin_send(uint32_t tag, ByteView data);
    // Waits until all that was begun has been handed to the network.
    void finish_sends();

    // Receives the next message, which must have this tag and exactly this length.
    void receive(uint32_t tag, std::span<uint8_t> out);
    // Receives the next message, of any length up to `max_bytes`.
    Bytes receive_any(uint32_t tag, size_t max_bytes);

    // Tells the peer why no more will come; never throws.
    void send_failure(const std::string& reason) noexcept;
    // Ends every call that waits, on both sides.
    void abort() noexcept;

    uint64_t wire_bytes_sent() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// Two ends in this process.
std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>> local_channels(
    const std::string& first, const std::string& second, const PipeOptions& pipe = {},
    const ChannelOptions& options = {});

}  // namespace ward::net
