// Parties that deviate: every message of every protocol is falsified in turn, and no wrong value
// may be output. WARD_MPC_DEVIATIONS sets the number of trials (10,000 take a few minutes).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "ward/core/error.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/party.h"
#include "ward/mpc/share.h"
#include "ward/mpc/softmax.h"
#include "ward/net/channel.h"

namespace ward::mpc {
namespace {

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

Outcome run_with(const Program& program, const Deviation& deviation) {
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

// All verified protocols, small: shares, products, divisions, comparisons, conversions, softmax.
RingVector everything(Party& party) {
    RingMatrix values(4, 3), more(3, 2);
    for (size_t i = 0; i < values.size(); ++i) values.values[i] = (i << 15) - (i * i << 12);
    for (size_t i = 0; i < more.size(); ++i) more.values[i] = (3 - i) << 16;
    const SharedMatrix x = share(party, 0, party.index() == 0 ? &values : nullptr, 4, 3);
    const SharedMatrix y = share(party, 2, party.index() == 2 ? &more : nullptr, 3, 2);
    const SharedMatrix z = relu(party, matmul_fixed(party, x, y), 32).value;
    const SharedMatrix probabilities = softmax(party, z);
    const SharedMatrix both = multiply(party, z, probabilities);
    const SharedBits sign = is_negative(party, both);
    RingVector out = open(party, both).values;
    const RingVector bits = open(party, sign);
    out.push_back(bits[0] & 0xff);  // of the 8 values
    const RingMatrix last = open_to(party, 1, z);
    out.insert(out.end(), last.values.begin(), last.values.end());
    return out;
}

// What `everything` opens, computed in the clear; divisions differ by their dither.
void expect_right(const RingVector& opened, const std::string& what) {
    ASSERT_GE(opened.size(), 9u) << what;
    for (size_t r = 0; r < 4; ++r) {
        double z[2] = {0, 0};
        for (size_t c = 0; c < 2; ++c) {
            for (size_t k = 0; k < 3; ++k) {
                const size_t i = 3 * r + k;
                z[c] += decode((i << 15) - (i * i << 12)) * (3.0 - static_cast<double>(2 * k + c));
            }
            z[c] = std::max(z[c], 0.0);
        }
        for (size_t c = 0; c < 2; ++c) {
            const double expected = z[c] / (1 + std::exp(z[1 - c] - z[c]));
            const double scale = static_cast<double>(kOne);
            ASSERT_NEAR(
                static_cast<double>(static_cast<int64_t>(opened[2 * r + c])) / scale / scale,
                expected, 1e-3)
                << what;
        }
    }
    ASSERT_EQ(opened[8], 0u) << what;  // no value is negative
}

size_t trials() {
    const char* text = std::getenv("WARD_MPC_DEVIATIONS");
    return text != nullptr ? static_cast<size_t>(std::atol(text)) : 150;
}

// What a deviating party may do to a message.
FalsifyingStream::Falsify random_falsification(Random& random) {
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

TEST(Deviations, HonestPartiesFinish) {
    const Outcome honest = run_with(everything, {});
    for (size_t i = 0; i < 3; ++i) {
        ASSERT_TRUE(honest.finished[i]);
        expect_right(honest.opened[i], "honest");
    }
    EXPECT_EQ(honest.opened[0], honest.opened[2]);
    EXPECT_EQ(honest.opened[1].size(), honest.opened[0].size() + 8);
}

// The sender goes on as if it had sent the right message, so even another input, which an owner may
// choose, comes to light. What may pass unseen is a changed carry word of a proof (verify.h: w) or
// another part of a proof for relations that hold: half of the errors of 2^63 in them vanish. Then
// nothing is wrong with the values, and the test checks that. The last message says only that a
// party is done; it is left alone.
TEST(Deviations, OfEveryMessageAreCaughtOrWithoutEffect) {
    const Outcome honest = run_with(everything, {});
    Random random = Random::from_system();
    const size_t count = trials();
    size_t harmless = 0;
    const uint64_t begin = random.below(1000);
    for (size_t trial = 0; trial < count; ++trial) {
        Deviation deviation;
        deviation.sender = static_cast<int>(trial % 3);
        deviation.to_next = trial / 3 % 2 == 0;
        const size_t side = deviation.to_next ? 0 : 1;
        const auto total =
            static_cast<uint64_t>(honest.messages[static_cast<size_t>(deviation.sender)][side] - 1);
        // Walks through all messages, so that every kind is met.
        deviation.message = static_cast<int64_t>((trial / 6 + begin) % total);
        deviation.falsify = random_falsification(random);
        const Outcome got = run_with(everything, deviation);
        bool output = false;
        for (size_t i = 0; i < 3; ++i) {
            if (static_cast<int>(i) == deviation.sender || !got.finished[i]) continue;
            output = true;
            expect_right(got.opened[i], "message " + std::to_string(deviation.message) +
                                            " of party " + std::to_string(deviation.sender) +
                                            " to the " + (deviation.to_next ? "next" : "previous"));
        }
        harmless += output ? 1 : 0;
    }
    std::printf("%zu deviations, %zu caught, %zu without effect on any result\n", count,
                count - harmless, harmless);
    EXPECT_LE(harmless, 5 + count / 20);
}

}  // namespace
}  // namespace ward::mpc
