#include "ward/net/byte_stream.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>

#include "ward/core/error.h"

namespace ward::net {
namespace {

using Clock = std::chrono::steady_clock;

// One direction of a pipe: a ring of bytes under a lock, and when each stretch of it arrives.
class Lane {
  public:
    explicit Lane(const PipeOptions& options) : ring_(options.capacity_bytes), options_(options) {}

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
            stretches_.push_back({count, arrival(count)});
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
            const Clock::time_point due = stretches_.front().arrives;
            if (due > Clock::now()) {
                changed_.wait_until(lock, due);
                continue;
            }
            const size_t count =
                std::min({out.size(), stretches_.front().bytes, ring_.size() - start_});
            std::memcpy(out.data(), ring_.data() + start_, count);
            start_ = (start_ + count) % ring_.size();
            filled_ -= count;
            stretches_.front().bytes -= count;
            if (stretches_.front().bytes == 0) stretches_.pop_front();
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
    struct Stretch {
        size_t bytes;
        Clock::time_point arrives;
    };

    // When bytes that are written now are at the other end: after those before them, and the delay.
    Clock::time_point arrival(size_t bytes) {
        if (options_.one_way_delay.count() == 0 && options_.bytes_per_second == 0) return {};
        sent_ = std::max(sent_, Clock::now());
        if (options_.bytes_per_second > 0) {
            const std::chrono::duration<double> taken(static_cast<double>(bytes) /
                                                      options_.bytes_per_second);
            sent_ += std::chrono::duration_cast<Clock::duration>(taken);
        }
        return sent_ + options_.one_way_delay;
    }

    template <typename Ready>
    void wait(std::unique_lock<std::mutex>& lock, Ready ready, const char* what) {
        if (options_.timeout.count() <= 0) {
            changed_.wait(lock, ready);
        } else if (!changed_.wait_for(lock, options_.timeout, ready)) {
            throw Error(ErrorCode::kIo, std::string("timeout ") + what + " the peer after " +
                                            std::to_string(options_.timeout.count()) + " ms");
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    Bytes ring_;
    std::deque<Stretch> stretches_;
    PipeOptions options_;
    Clock::time_point sent_{};
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
    const PipeOptions& options) {
    if (options.capacity_bytes == 0 || options.one_way_delay.count() < 0 ||
        !(options.bytes_per_second >= 0)) {
        throw Error(ErrorCode::kUsage, "a pipe needs a capacity > 0, and a delay and a rate >= 0");
    }
    auto there = std::make_shared<Lane>(options);
    auto back = std::make_shared<Lane>(options);
    return {std::make_unique<MemoryEnd>(back, there), std::make_unique<MemoryEnd>(there, back)};
}

std::unique_ptr<ByteStream> tls_byte_stream(crypto::TlsStream stream) {
    return std::make_unique<TlsEnd>(std::move(stream));
}

}  // namespace ward::net
