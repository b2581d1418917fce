// Parties that deviate, for tests: a program of three parties runs with one message falsified on
// its way, which to its receiver is a sender that deviates.
//
// Thread safety: each call is for one thread.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/mpc/party.h"
#include "ward/net/channel.h"

namespace ward::mpc::deviating {

// Changes one message on its way: to the receiver, the sender has deviated.
class FalsifyingStream final : public net::ByteStream {
  public:
    using Falsify = std::function<void(Bytes& data)>;
    // `message` counts from 0; none is changed when it is negative.
    FalsifyingStream(std::unique_ptr<net::ByteStream> stream, int64_t message, Falsify falsify)
        : stream_(std::move(stream)), message_(message), falsify_(std::move(falsify)) {}

    void read_all(std::span<uint8_t> out) override { stream_->read_all(out); }
    void abort() noexcept override { stream_->abort(); }
    uint64_t wire_bytes_sent() const override { return stream_->wire_bytes_sent(); }

    // Frames come whole, or as header and data when they are long.
    void write(ByteView data) override {
        Bytes copy(data.begin(), data.end());
        size_t begin = 0;
        if (!header_seen_) {
            begin = net::kFrameHeaderBytes;
            header_seen_ = copy.size() == begin;
            if (header_seen_) return stream_->write(copy);
        }
        header_seen_ = false;
        if (count_++ == message_) {
            Bytes body(copy.begin() + static_cast<std::ptrdiff_t>(begin), copy.end());
            falsify_(body);
            std::copy(body.begin(), body.end(), copy.begin() + static_cast<std::ptrdiff_t>(begin));
        }
        stream_->write(copy);
    }

    int64_t count() const { return count_; }

  private:
    std::unique_ptr<net::ByteStream> stream_;
    int64_t message_;
    Falsify falsify_;
    std::atomic<int64_t> count_ = 0;
    bool header_seen_ = false;
};

struct Deviation {
    int sender = -1;  // party whose message to the next (or previous) one changes
    bool to_next = true;
    int64_t message = -1;
    FalsifyingStream::Falsify falsify;
};

struct Outcome {
    std::array<bool, 3> finished{};
    std::array<RingVector, 3> opened;
    std::array<std::array<int64_t, 2>, 3> messages{};  // to next, to previous
};

using Program = std::function<RingVector(Party&)>;

inline Outcome run_with(const Program& program, const Deviation& deviation) {
    Outcome out;
    std::array<std::unique_ptr<net::Channel>, 3> to_next, to_previous;
    std::array<std::array<FalsifyingStream*, 2>, 3> streams{};
    const auto wrap = [&](std::unique_ptr<net::ByteStream> stream, int from, bool next) {
        const bool here = deviation.sender == from && deviation.to_next == next;
        auto wrapped = std::make_unique<FalsifyingStream>(
            std::move(stream), here ? deviation.message : -1, deviation.falsify);
        streams[static_cast<size_t>(from)][next ? 0 : 1] = wrapped.get();
        return std::make_unique<net::Channel>(std::move(wrapped), "peer");
    };
    for (int i = 0; i < 3; ++i) {
        auto [one, other] = net::memory_pipe();
        to_next[static_cast<size_t>(i)] = wrap(std::move(one), i, true);
        to_previous[static_cast<size_t>((i + 1) % 3)] = wrap(std::move(other), (i + 1) % 3, false);
    }
    std::array<std::thread, 3> threads;
    for (size_t i = 0; i < 3; ++i) {
        threads[i] = std::thread([&, i] {
            net::Channel* links[] = {to_previous[i].get(), to_next[i].get()};
            std::unique_ptr<Party> party;
            try {
                party = std::make_unique<Party>(
                    static_cast<int>(i), std::move(to_previous[i]), std::move(to_next[i]),
                    PartyOptions{.job = "deviation", .security = Security::kMalicious});
                out.opened[i] = program(*party);
                party->synchronize();
                for (size_t side : {0u, 1u}) out.messages[i][side] = streams[i][side]->count();
                out.finished[i] = true;
            } catch (const Error&) {
                for (net::Channel* link : links) {
                    if (party) link->abort();
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    return out;
}

// What a deviating party may do to a message.
inline FalsifyingStream::Falsify random_falsification(Random& random) {
    const uint64_t kind = random.below(4), where = random.next_u64(), value = random.next_u64();
    return [=](Bytes& data) {
        if (data.empty()) return;
        const size_t at = where % data.size();
        if (kind == 0) {  // one bit
            data[at] = static_cast<uint8_t>(data[at] ^ (1u << (value % 8)));
        } else if (kind == 1) {  // the top bit of one word: an error of 2^63
            data[std::min(at / 8 * 8 + 7, data.size() - 1)] ^= 0x80;
        } else if (kind == 2) {  // everything
            for (size_t i = 0; i < data.size(); ++i) {
                data[i] = static_cast<uint8_t>(data[i] ^ ((value >> (i % 8 * 8)) | 1));
            }
        } else {  // one byte more
            data[at] = static_cast<uint8_t>(data[at] + 1 + value % 255);
        }
    };
}

// WARD_MPC_DEVIATIONS, or `few`.
inline size_t trials_or(size_t few) {
    const char* text = std::getenv("WARD_MPC_DEVIATIONS");
    return text != nullptr ? static_cast<size_t>(std::atol(text)) : few;
}

// Looks at what a party that does not deviate has opened; `what` says which message was falsified.
using Expectation = std::function<void(const RingVector& opened, const std::string& what)>;

inline std::string text_of(const Deviation& deviation) {
    return "message " + std::to_string(deviation.message) + " of party " +
           std::to_string(deviation.sender) + " to the " +
           (deviation.to_next ? "next" : "previous");
}

// Falsifies a message in each of `trials` runs, all messages in turn. The sender goes on as if it
// had sent the right one, so even another input, which an owner may choose, comes to light. What
// may pass unseen is a changed carry word of a proof (verify.h: w) or another part of a proof for
// relations that hold: half of the errors of 2^63 in them vanish. Then nothing is wrong with the
// values, and `expect_right` checks that. The last message says only that a party is done; it is
// left alone.
inline void expect_caught(const Program& program, const Expectation& expect_right, size_t trials) {
    const Outcome honest = run_with(program, {});
    for (size_t i = 0; i < 3; ++i) {
        ASSERT_TRUE(honest.finished[i]);
        expect_right(honest.opened[i], "honest");
    }
    Random random = Random::from_system();
    size_t falsified = 0, harmless = 0;
    const uint64_t begin = random.below(1000);
    for (size_t trial = 0; trial < trials; ++trial) {
        Deviation deviation;
        deviation.sender = static_cast<int>(trial % 3);
        deviation.to_next = trial / 3 % 2 == 0;
        const size_t side = deviation.to_next ? 0 : 1;
        const auto total =
            static_cast<uint64_t>(honest.messages[static_cast<size_t>(deviation.sender)][side] - 1);
        // Walks through all messages, so that every kind is met.
        deviation.message = static_cast<int64_t>((trial / 6 + begin) % total);
        std::atomic<bool> met = false;  // programs may send fewer messages another time
        deviation.falsify = [&met, falsify = random_falsification(random)](Bytes& data) {
            met = true;
            falsify(data);
        };
        const Outcome got = run_with(program, deviation);
        bool output = false;
        for (size_t i = 0; i < 3; ++i) {
            if (static_cast<int>(i) == deviation.sender || !got.finished[i]) continue;
            output = true;
            expect_right(got.opened[i], text_of(deviation));
        }
        falsified += met ? 1 : 0;
        harmless += met && output ? 1 : 0;
    }
    std::printf("%zu deviations, %zu caught, %zu without effect on any result\n", falsified,
                falsified - harmless, harmless);
    EXPECT_LE(harmless, 5 + falsified / 20);
    EXPECT_GE(falsified, trials / 3);  // sorts of few rows take more or less levels
}

}  // namespace ward::mpc::deviating
