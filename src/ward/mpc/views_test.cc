// What one party sees: everything it receives must be uniform, whatever the secrets are, and
// unrelated to what it holds itself.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <thread>

#include "ward/mpc/bits.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"
#include "ward/mpc/softmax.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

// Keeps all bytes that were read.
class Recorder final : public net::ByteStream {
  public:
    Recorder(std::unique_ptr<net::ByteStream> inner, Bytes& log)
        : inner_(std::move(inner)), log_(log) {}
    void read_all(std::span<uint8_t> out) override {
        inner_->read_all(out);
        log_.insert(log_.end(), out.begin(), out.end());
    }
    void write(ByteView data) override { inner_->write(data); }
    void abort() noexcept override { inner_->abort(); }
    uint64_t wire_bytes_sent() const override { return inner_->wire_bytes_sent(); }

  private:
    std::unique_ptr<net::ByteStream> inner_;
    Bytes& log_;
};

struct View {
    std::array<Bytes, 2> links;  // from the previous and the next party
    SharedMatrix held;           // this party's part of the result
};

// Payloads of the frames after the first `skip` bytes.
Bytes payloads(const Bytes& log, size_t skip) {
    Bytes out;
    for (size_t at = skip; at + net::kFrameHeaderBytes <= log.size();) {
        uint32_t length = 0;
        std::memcpy(&length, &log[at + 12], sizeof(length));
        at += net::kFrameHeaderBytes;
        out.insert(out.end(), log.begin() + static_cast<std::ptrdiff_t>(at),
                   log.begin() + static_cast<std::ptrdiff_t>(at + length));
        at += length;
    }
    return out;
}

using Protocol = std::function<SharedMatrix(Party&, const SharedMatrix&)>;

// Runs the protocol on a value that party 0 shares; returns what each party received afterwards.
std::array<View, 3> views_of(const Protocol& protocol, const RingMatrix& secret,
                             const PartyOptions& options = {}) {
    std::array<std::unique_ptr<net::Channel>, 3> previous, next;
    std::array<std::array<Bytes, 2>, 3> logs;
    std::array<View, 3> views;
    for (size_t i = 0; i < 3; ++i) {
        auto [one, other] = net::memory_pipe();
        const size_t after = (i + 1) % 3;
        next[i] = std::make_unique<net::Channel>(
            std::make_unique<Recorder>(std::move(one), logs[i][1]), "next");
        previous[after] = std::make_unique<net::Channel>(
            std::make_unique<Recorder>(std::move(other), logs[after][0]), "previous");
    }
    std::array<std::thread, 3> threads;
    for (size_t i = 0; i < 3; ++i) {
        threads[i] = std::thread([&, i] {
            Party party(static_cast<int>(i), std::move(previous[i]), std::move(next[i]), options);
            const SharedMatrix x =
                share(party, 0, i == 0 ? &secret : nullptr, secret.rows, secret.cols);
            const std::array<size_t, 2> skip = {logs[i][0].size(), logs[i][1].size()};
            views[i].held = protocol(party, x);
            for (size_t link = 0; link < 2; ++link) {
                views[i].links[link] = payloads(logs[i][link], skip[link]);
            }
            party.synchronize();
        });
    }
    for (std::thread& thread : threads) thread.join();
    return views;
}

// 255 degrees of freedom: mean 255, deviation 22.6; 430 is exceeded once in about 1e11 tests.
void expect_uniform(const Bytes& bytes, const std::string& what) {
    if (bytes.size() < 2560) return;
    std::array<double, 256> counts{};
    for (uint8_t byte : bytes) ++counts[byte];
    const double expected = static_cast<double>(bytes.size()) / 256;
    double chi = 0;
    for (double count : counts) chi += (count - expected) * (count - expected) / expected;
    EXPECT_LT(chi, 430) << what;
}

Bytes difference(const Bytes& received, const RingVector& held, bool exclusive_or) {
    Bytes out(std::min(received.size(), held.size() * sizeof(Ring)) / sizeof(Ring) * sizeof(Ring));
    for (size_t at = 0; at < out.size(); at += sizeof(Ring)) {
        Ring value = 0;
        std::memcpy(&value, &received[at], sizeof(value));
        const Ring own = held[at / sizeof(Ring)];
        value = exclusive_or ? value ^ own : value - own;
        std::memcpy(&out[at], &value, sizeof(value));
    }
    return out;
}

void expect_views_uniform(const std::string& name, const Protocol& protocol,
                          const PartyOptions& options = {}) {
    for (Ring secret : {Ring{0}, encode_constant(-1.5), Ring{1} << 40}) {
        RingMatrix values(64, 64);
        std::fill(values.values.begin(), values.values.end(), secret);
        const auto views = views_of(protocol, values, options);
        for (size_t i = 0; i < 3; ++i) {
            for (size_t link = 0; link < 2; ++link) {
                const std::string what = name + ", secret " + std::to_string(secret) + ", party " +
                                         std::to_string(i) + ", link " + std::to_string(link);
                expect_uniform(views[i].links[link], what);
            }
        }
    }
}

TEST(Views, OfEveryProtocolAreUniformForEverySecret) {
    expect_views_uniform("multiply",
                         [](Party& party, const SharedMatrix& x) { return multiply(party, x, x); });
    expect_views_uniform("matmul",
                         [](Party& party, const SharedMatrix& x) { return matmul(party, x, x); });
    expect_views_uniform("multiply_fixed", [](Party& party, const SharedMatrix& x) {
        return multiply_fixed(party, x, x);
    });
    for (int pivot = 0; pivot < 3; ++pivot) {
        const auto skip_to = [pivot](Party& party) {
            for (int i = 0; i < pivot; ++i) (void)party.next_pivot();
        };
        expect_views_uniform("truncate", [&](Party& party, const SharedMatrix& x) {
            skip_to(party);
            return truncate(party, x, 16);
        });
        expect_views_uniform("compare", [&](Party& party, const SharedMatrix& x) {
            skip_to(party);
            (void)is_negative(party, x);
            return x;
        });
        expect_views_uniform("relu", [&](Party& party, const SharedMatrix& x) {
            skip_to(party);
            return relu(party, x).value;
        });
        expect_views_uniform("to_ring", [&](Party& party, const SharedMatrix& x) {
            skip_to(party);
            return to_ring(party, is_negative(party, x, 8), x.rows, x.cols);
        });
    }
}

// With the proof: tables, carry words, and masked vectors. Digests are left out by their number: 4
// of 64 bytes each among many thousands; they are printable, so they would show in small views.
TEST(Views, OfVerifiedProtocolsAndTheirProofsAreUniform) {
    const PartyOptions malicious = {.security = Security::kMalicious};
    const auto verified = [](auto protocol) -> Protocol {
        return [protocol](Party& party, const SharedMatrix& x) {
            for (int i = 0; i < 4; ++i) (void)protocol(party, x);
            party.verify();
            return x;
        };
    };
    const auto product = [](Party& party, const SharedMatrix& x) { return multiply(party, x, x); };
    const auto products = [](Party& party, const SharedMatrix& x) { return matmul(party, x, x); };
    const auto division = [](Party& party, const SharedMatrix& x) {
        return truncate(party, x, 16);
    };
    const auto wide_division = [](Party& party, const SharedMatrix& x) {
        return truncate(party, x, 30);
    };
    const auto rectifier = [](Party& party, const SharedMatrix& x) {
        return relu(party, x, 64).value;
    };
    expect_views_uniform("multiply", verified(product), malicious);
    expect_views_uniform("matmul", verified(products), malicious);
    expect_views_uniform("truncate", verified(division), malicious);
    expect_views_uniform("truncate 30", verified(wide_division), malicious);
    expect_views_uniform("relu", verified(rectifier), malicious);
    expect_views_uniform("shuffle", verified(shuffle_rows), malicious);
}

// The exact simulation of a product: what a party receives is its new second part and nothing else.
// A simulator that is given the output's parts of the corrupt party, as any functionality gives
// them, has the whole view.
TEST(Views, OfAProductAreSimulatedFromTheOutputAlone) {
    RingMatrix zero(4, 8), other(4, 8);
    std::fill(zero.values.begin(), zero.values.end(), Ring{0});
    for (size_t i = 0; i < other.size(); ++i) other.values[i] = encode_constant(i * 0.25);
    for (const RingMatrix& secret : {zero, other}) {
        const auto views = views_of(
            [](Party& party, const SharedMatrix& x) { return multiply(party, x, x); }, secret);
        for (size_t i = 0; i < 3; ++i) {
            // All that came is the part that the party has afterwards.
            EXPECT_TRUE(views[i].links[0].empty());
            Bytes second(views[i].held.size() * sizeof(Ring));
            std::memcpy(second.data(), views[i].held.second.data(), second.size());
            EXPECT_EQ(views[i].links[1], second);
        }
        // The parts are a sharing of the right value.
        for (size_t k = 0; k < secret.size(); ++k) {
            EXPECT_EQ(views[0].held.first[k] + views[1].held.first[k] + views[2].held.first[k],
                      secret.values[k] * secret.values[k]);
        }
    }
}

TEST(Views, AreUnrelatedToThePartsAPartyHolds) {
    const auto protocol = [](Party& party, const SharedMatrix& x) {
        // Only messages of 8 bytes per value, so that positions correspond.
        return multiply(party, x, x);
    };
    RingMatrix values(64, 64);
    std::fill(values.values.begin(), values.values.end(), encode_constant(3));
    const auto views = views_of(protocol, values);
    for (size_t i = 0; i < 3; ++i) {
        for (bool exclusive_or : {false, true}) {
            const Bytes& received = views[i].links[1];
            ASSERT_EQ(received.size(), values.size() * sizeof(Ring));
            expect_uniform(difference(received, views[i].held.first, exclusive_or), "first");
        }
        RingVector sum(values.size());
        for (size_t k = 0; k < sum.size(); ++k) {
            sum[k] = views[i].held.first[k] + views[i].held.second[k];
        }
        Bytes bytes(sum.size() * sizeof(Ring));
        std::memcpy(bytes.data(), sum.data(), bytes.size());
        expect_uniform(bytes, "sum of both parts");
    }
}

// The dither of a division, which the pivot's two helpers know as the low bits of their common
// part, decides the rounding; it must not depend on the value.
TEST(Views, DitherIsUniformAndIndependentOfTheValue) {
    for (Ring secret : {Ring{0}, Ring{0x7fff}, Ring{0xffff}}) {
        RingMatrix values(64, 64);
        std::fill(values.values.begin(), values.values.end(), secret);
        const auto views = views_of(
            [](Party& party, const SharedMatrix& x) {
                const SharedMatrix one =
                    add_public(party, scale(x, 0), 1);  // multiplied by 1 and divided by 2^16
                return multiply_fixed(party, x, one);
            },
            values);
        // The result is 0 or 1; its mean is secret / 2^16 within 6 deviations of a coin.
        double mean = 0;
        for (size_t k = 0; k < values.size(); ++k) {
            const Ring opened =
                views[0].held.first[k] + views[0].held.second[k] + views[1].held.second[k];
            ASSERT_LE(opened, 1u);
            mean += static_cast<double>(opened) / static_cast<double>(values.size());
        }
        EXPECT_NEAR(mean, static_cast<double>(secret) / kOne, 6 * 0.5 / 64);
    }
}

}  // namespace
}  // namespace ward::mpc
