#include "ward/net/byte_stream.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>

#include "ward/core/error.h"

namespace ward::net {
namespace {

// One direction of a pipe: a ring of bytes under a lock.
class Lane {
  public:
    Lane(size_t capacity, std::chrono::milliseconds timeout) : ring_(capacity), timeout_(timeout) {}

    void write(ByteView data) {
        std::unique_lock lock(mutex_);
        while (!data.empty()) {
            wait(
                lock, [&] { return ended_ || filled_ < ring_.size(); }, "writing to");
            if (ended_) throw Error(ErrorCode::kIo, "the peer has ended the connection");
            const size_t end = (start_ + filled_) % ring_.size();
            const size_t count =
                std::min({data.size(), ring_.size() - filled_, ring_.size() - end});
            std::memcpy(ring_.data() + end, data.data(), count);
            filled_ += count;
            data = data.subspan(count);
            changed_.notify_all();
        }
    }

    void read_all(std::span<uint8_t> out) {
        std::unique_lock lock(mutex_);
        const size_t expected = out.size();
        while (!out.empty()) {
            wait(
                lock, [&] { return ended_ || filled_ > 0; }, "reading from");
            if (filled_ == 0) {
                throw Error(ErrorCode::kCorrupt,
                            "the peer ended after " + std::to_string(expected - out.size()) +
                                " bytes, expected " + std::to_string(expected));
            }
            const size_t count = std::min({out.size(), filled_, ring_.size() - start_});
            std::memcpy(out.data(), ring_.data() + start_, count);
            start_ = (start_ + count) % ring_.size();
            filled_ -= count;
            out = out.subspan(count);
            changed_.notify_all();
        }
    }

    void end() noexcept {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }

  private:
    template <typename Ready>
    void wait(std::unique_lock<std::mutex>& lock, Ready ready, const char* what) {
        if (timeout_.count() <= 0) {
            changed_.wait(lock, ready);
        } else if (!changed_.wait_for(lock, timeout_, ready)) {
            throw Error(ErrorCode::kIo, std::string("timeout ") + what + " the peer after " +
                                            std::to_string(timeout_.count()) + " ms");
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    Bytes ring_;
    std::chrono::milliseconds timeout_;
    size_t start_ = 0;
    size_t filled_ = 0;
    bool ended_ = false;
};

class MemoryEnd final : public ByteStream {
  public:
    MemoryEnd(std::shared_ptr<Lane> in, std::shared_ptr<Lane> out)
        : in_(std::move(in)), out_(std::move(out)) {}
    ~MemoryEnd() override { abort(); }

    void read_all(std::span<uint8_t> out) override { in_->read_all(out); }
    void write(ByteView data) override {
        out_->write(data);
        sent_ += data.size();
    }
    void abort() noexcept override {
        in_->end();
        out_->end();
    }
    uint64_t wire_bytes_sent() const override { return sent_; }

  private:
    std::shared_ptr<Lane> in_;
    std::shared_ptr<Lane> out_;
    uint64_t sent_ = 0;
};

class TlsEnd final : public ByteStream {
  public:
    explicit TlsEnd(crypto::TlsStream stream) : stream_(std::move(stream)) {}
    ~TlsEnd() override { stream_.abort(); }

    void read_all(std::span<uint8_t> out) override { stream_.read_all(out); }
    void write(ByteView data) override { stream_.write(data); }
    void abort() noexcept override { stream_.abort(); }
    uint64_t wire_bytes_sent() const override { return stream_.bytes_sent(); }

  private:
    crypto::TlsStream stream_;
};

}  // namespace

std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>> memory_pipe(
    std::chrono::milliseconds timeout, size_t capacity_bytes) {
    if (capacity_bytes == 0) {
        throw Error(ErrorCode::kUsage, "the capacity of a pipe must be > 0, got 0");
    }
    auto there = std::make_shared<Lane>(capacity_bytes, timeout);
    auto back = std::make_shared<Lane>(capacity_bytes, timeout);
    return {std::make_unique<MemoryEnd>(back, there), std::make_unique<MemoryEnd>(there, back)};
}

std::unique_ptr<ByteStream> tls_byte_stream(crypto::TlsStream stream) {
    return std::make_unique<TlsEnd>(std::move(stream));
}

}  // namespace ward::net
