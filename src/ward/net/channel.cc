#include "ward/net/channel.h"

#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "ward/core/error.h"
#include "ward/net/internal/frame.h"

namespace ward::net {
namespace {

using internal::FrameHeader;
using internal::FrameKind;

// Up to here a message is written by the calling thread. Sockets hold more than that, so this does
// not wait for a peer that is writing itself.
constexpr size_t kInlineBytes = 32 * 1024;
constexpr size_t kMaxReasonBytes = 1024;

struct Outgoing {
    std::array<uint8_t, kFrameHeaderBytes> header;
    ByteView data;
};

// Header and short data in one write, so that they share a packet.
void write_frame(ByteStream& stream, const Outgoing& message) {
    if (message.data.size() > kInlineBytes) {
        stream.write(message.header);
        stream.write(message.data);
        return;
    }
    Bytes joined(message.header.begin(), message.header.end());
    joined.insert(joined.end(), message.data.begin(), message.data.end());
    stream.write(joined);
    wipe(joined.data(), joined.size());  // it may have been a key
}

}  // namespace

struct Channel::State {
    State(std::unique_ptr<ByteStream> stream_, std::string peer_, const ChannelOptions& options_)
        : stream(std::move(stream_)), peer(std::move(peer_)), options(options_) {}

    ~State() {
        stream->abort();
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        changed.notify_all();
        if (writer.joinable()) writer.join();
    }

    std::string where() const {
        const std::string name = "\"" + peer + "\"";
        const bool in_step = ledger != nullptr && ledger->step() != TrafficLedger::kNoStep;
        return in_step ? name + " in step " + std::string(ledger->step()) : name;
    }

    // Runs `action` and adds peer and step to what it throws.
    template <typename Action>
    void with_context(Action action) {
        try {
            action();
        } catch (const Error& error) {
            throw Error(error.code(), where() + ": " + error.message(), error.hint());
        }
    }

    Outgoing frame(FrameKind kind, uint32_t tag, ByteView data);
    void post(const Outgoing& message);
    void write_queue();
    void wait_idle();
    void fail_if_broken(std::unique_lock<std::mutex>&);
    uint32_t receive_header(uint32_t tag);
    [[noreturn]] void peer_failed(uint32_t length);

    std::unique_ptr<ByteStream> stream;
    std::string peer;
    ChannelOptions options;
    TrafficLedger* ledger = nullptr;
    uint32_t next_out = 0;
    uint32_t next_in = 0;

    std::thread writer;  // started by the first large message
    std::mutex mutex;    // guards what follows
    std::condition_variable changed;
    std::deque<Outgoing> queue;  // the first one is being written
    std::exception_ptr broken;
    bool stopping = false;
};

Outgoing Channel::State::frame(FrameKind kind, uint32_t tag, ByteView data) {
    if (data.size() > options.max_message_bytes) {
        throw Error(ErrorCode::kUsage, "a message must have at most " +
                                           std::to_string(options.max_message_bytes) +
                                           " bytes, got " + std::to_string(data.size()));
    }
    const FrameHeader header = {kind, next_out++, tag, static_cast<uint32_t>(data.size())};
    if (ledger != nullptr) ledger->add_sent(kFrameHeaderBytes + data.size());
    return {internal::encode_frame_header(header), data};
}

void Channel::State::fail_if_broken(std::unique_lock<std::mutex>&) {
    if (broken) std::rethrow_exception(broken);
}

void Channel::State::post(const Outgoing& message) {
    {
        std::unique_lock lock(mutex);
        fail_if_broken(lock);
        if (!queue.empty() || message.data.size() > kInlineBytes) {
            if (!writer.joinable()) writer = std::thread([this] { write_queue(); });
            queue.push_back(message);
            changed.notify_all();
            return;
        }
    }
    write_frame(*stream, message);
}

void Channel::State::write_queue() {
    std::unique_lock lock(mutex);
    while (true) {
        changed.wait(lock, [&] { return stopping || (!queue.empty() && !broken); });
        if (stopping) return;
        const Outgoing message = queue.front();
        lock.unlock();
        std::exception_ptr error;
        try {
            write_frame(*stream, message);
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        if (error) broken = error;
        queue.pop_front();
        changed.notify_all();
    }
}

void Channel::State::wait_idle() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return queue.empty() || broken; });
    fail_if_broken(lock);
}

void Channel::State::peer_failed(uint32_t length) {
    if (length > kMaxReasonBytes) throw Error(ErrorCode::kCorrupt, "failure notice too long");
    std::string reason(length, '\0');
    stream->read_all({reinterpret_cast<uint8_t*>(reason.data()), reason.size()});
    for (char& c : reason) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    throw Error(ErrorCode::kInterrupted, "the peer has stopped: " + reason);
}

uint32_t Channel::State::receive_header(uint32_t tag) {
    std::array<uint8_t, kFrameHeaderBytes> bytes;
    stream->read_all(bytes);
    const FrameHeader header = internal::decode_frame_header(bytes);
    if (header.sequence != next_in) {
        throw Error(ErrorCode::kCorrupt, "message number " + std::to_string(header.sequence) +
                                             ", expected " + std::to_string(next_in));
    }
    ++next_in;
    if (header.kind == FrameKind::kFailure) peer_failed(header.length);
    if (header.tag != tag) {
        throw Error(
            ErrorCode::kCorrupt,
            "message with tag " + std::to_string(header.tag) + ", expected " + std::to_string(tag),
            "all parties must run the same job with the same version");
    }
    if (header.length > options.max_message_bytes) {
        throw Error(ErrorCode::kCorrupt, "message of " + std::to_string(header.length) +
                                             " bytes, expected at most " +
                                             std::to_string(options.max_message_bytes));
    }
    return header.length;
}

Channel::Channel(std::unique_ptr<ByteStream> stream, std::string peer,
                 const ChannelOptions& options)
    : state_(std::make_unique<State>(std::move(stream), std::move(peer), options)) {}

Channel::~Channel() = default;

const std::string& Channel::peer() const { return state_->peer; }
void Channel::set_ledger(TrafficLedger* ledger) { state_->ledger = ledger; }
uint64_t Channel::wire_bytes_sent() const { return state_->stream->wire_bytes_sent(); }
void Channel::abort() noexcept { state_->stream->abort(); }

void Channel::send(uint32_t tag, ByteView data) {
    begin_send(tag, data);
    finish_sends();
}

void Channel::begin_send(uint32_t tag, ByteView data) {
    state_->with_context([&] { state_->post(state_->frame(FrameKind::kData, tag, data)); });
}

void Channel::finish_sends() {
    state_->with_context([&] { state_->wait_idle(); });
}

void Channel::receive(uint32_t tag, std::span<uint8_t> out) {
    state_->with_context([&] {
        const uint32_t length = state_->receive_header(tag);
        if (length != out.size()) {
            throw Error(ErrorCode::kCorrupt,
                        "message of " + std::to_string(length) + " bytes, expected " +
                            std::to_string(out.size()),
                        "all parties must use the same shapes");
        }
        state_->stream->read_all(out);
    });
    if (state_->ledger != nullptr) state_->ledger->add_received(kFrameHeaderBytes + out.size());
}

Bytes Channel::receive_any(uint32_t tag, size_t max_bytes) {
    Bytes out;
    state_->with_context([&] {
        const uint32_t length = state_->receive_header(tag);
        if (length > max_bytes) {
            throw Error(ErrorCode::kCorrupt, "message of " + std::to_string(length) +
                                                 " bytes, expected at most " +
                                                 std::to_string(max_bytes));
        }
        out.resize(length);
        state_->stream->read_all(out);
    });
    if (state_->ledger != nullptr) state_->ledger->add_received(kFrameHeaderBytes + out.size());
    return out;
}

void Channel::send_failure(const std::string& reason) noexcept {
    try {
        const std::string text = reason.substr(0, kMaxReasonBytes);
        const ByteView data(reinterpret_cast<const uint8_t*>(text.data()), text.size());
        state_->post(state_->frame(FrameKind::kFailure, 0, data));
        state_->wait_idle();
    } catch (...) {
        state_->stream->abort();
    }
}

std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>> local_channels(
    const std::string& first, const std::string& second, const PipeOptions& pipe,
    const ChannelOptions& options) {
    auto [one, other] = memory_pipe(pipe);
    return {std::make_unique<Channel>(std::move(one), second, options),
            std::make_unique<Channel>(std::move(other), first, options)};
}

}  // namespace ward::net
