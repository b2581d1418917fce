#include "ward/core/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/internal/aes_ctr.h"
#include "ward/core/testing/seeded_random.h"

namespace ward {
namespace {

using testonly::seeded_random;

std::array<uint8_t, 32> counting_key() {
    std::array<uint8_t, 32> key;
    std::iota(key.begin(), key.end(), uint8_t{0});
    return key;
}

// FIPS 197, appendix C.3, covers the block cipher; in counter mode the plain "counter" of block i
// is i, so the reference here is OpenSSL's ECB on explicit counter blocks.
Bytes reference_stream(const uint8_t* key, size_t blocks) {
    Bytes out(16 * blocks);
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(context, EVP_aes_256_ecb(), nullptr, key, nullptr);
    for (size_t i = 0; i < blocks; ++i) {
        std::array<uint8_t, 16> counter{};
        for (int b = 0; b < 8; ++b) counter[15 - b] = static_cast<uint8_t>(i >> (8 * b));
        int written = 0;
        EVP_EncryptUpdate(context, &out[16 * i], &written, counter.data(), 16);
    }
    EVP_CIPHER_CTX_free(context);
    return out;
}

std::vector<std::pair<std::string, internal::AesCtrKernel>> kernels() {
    std::vector<std::pair<std::string, internal::AesCtrKernel>> all{
        {"openssl", internal::aes256_ctr_openssl}};
    if (internal::aes256_ctr_has_aesni()) all.emplace_back("aesni", internal::aes256_ctr_aesni);
    if (internal::aes256_ctr_has_vaes512()) all.emplace_back("vaes", internal::aes256_ctr_vaes512);
    return all;
}

TEST(AesCtr, EveryVariantGivesTheKeyStreamOfOpenSsl) {
    const auto key = counting_key();
    const Bytes expected = reference_stream(key.data(), 2 + 1024);
    for (const auto& [name, kernel] : kernels()) {
        std::array<uint8_t, 32> next_key{};
        Bytes out(16384);
        kernel(key.data(), next_key.data(), out.data(), out.size());
        EXPECT_TRUE(std::equal(next_key.begin(), next_key.end(), expected.begin())) << name;
        EXPECT_TRUE(std::equal(out.begin(), out.end(), expected.begin() + 32)) << name;
    }
}

// FIPS 197, appendix C.3: key 000102...1f. Counter mode with a plain text in place of the counter
// is not reachable, so the vector pins down the reference itself.
TEST(AesCtr, ReferenceAgreesWithFips197) {
    const auto key = counting_key();
    const Bytes plain = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                         0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    const Bytes expected = {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf,
                            0xea, 0xfc, 0x49, 0x90, 0x4b, 0x49, 0x60, 0x89};
    Bytes out(16);
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(context, EVP_aes_256_ecb(), nullptr, key.data(), nullptr);
    int written = 0;
    EVP_EncryptUpdate(context, out.data(), &written, plain.data(), 16);
    EVP_CIPHER_CTX_free(context);
    EXPECT_EQ(out, expected);
}

TEST(Random, StreamDoesNotDependOnHowItIsCutIntoShortCalls) {
    Random whole = seeded_random(1);
    Bytes expected(70001);
    for (size_t done = 0; done < expected.size(); done += 16000) {
        whole.fill(
            std::span(expected).subspan(done, std::min<size_t>(16000, expected.size() - done)));
    }

    Random parts = seeded_random(1);
    Bytes got(expected.size());
    size_t position = 0;
    for (size_t length = 1; position < got.size(); length = (length * 7 + 3) % 16349) {
        const size_t count = std::min(length, got.size() - position);
        if (count == 8) {
            const uint64_t value = parts.next_u64();
            std::memcpy(&got[position], &value, 8);
        } else {
            parts.fill(std::span(got).subspan(position, count));
        }
        position += count;
    }
    EXPECT_EQ(got, expected);
}

TEST(Random, LongCallsNeverRepeatWhatIsInTheBuffer) {
    Random random = seeded_random(1);
    Bytes bytes(16384 * 3 + 100);
    random.fill(std::span(bytes).first(50));
    random.fill(std::span(bytes).subspan(50));
    std::set<Bytes> seen;
    for (size_t at = 0; at + 16 <= bytes.size(); ++at)
        EXPECT_TRUE(seen.insert(Bytes(&bytes[at], &bytes[at] + 16)).second) << at;
}

TEST(Random, NextU64AtAnyOffsetIsTheSameStream) {
    Random bytes = seeded_random(2);
    Bytes expected(3 + 8 * 5000);
    bytes.fill(std::span(expected));
    Random words = seeded_random(2);
    Bytes head(3);
    words.fill(std::span(head));
    for (size_t i = 0; i < 5000; ++i) {
        const uint64_t value = words.next_u64();
        ASSERT_EQ(std::memcmp(&value, &expected[3 + 8 * i], 8), 0) << i;
    }
}

TEST(Random, KeyIsErasedBlockByBlock) {
    // Each block is keyed by the first 32 bytes of the key stream of the one before.
    const std::string digest = sha256_hex("ward seeded random 3 0");
    Bytes key(32);
    for (size_t i = 0; i < 32; ++i) {
        key[i] = static_cast<uint8_t>(std::stoi(digest.substr(2 * i, 2), nullptr, 16));
    }
    Random random = seeded_random(3);
    for (int block = 0; block < 3; ++block) {
        const Bytes expected = reference_stream(key.data(), 2 + 1024);
        Bytes out(16384);
        random.fill(std::span(out));
        ASSERT_TRUE(std::equal(out.begin(), out.end(), expected.begin() + 32)) << block;
        key.assign(expected.begin(), expected.begin() + 32);
    }
}

TEST(Random, SeedsAndStreamsDiffer) {
    EXPECT_NE(seeded_random(1).next_u64(), seeded_random(2).next_u64());
    EXPECT_NE(seeded_random(1, 0).next_u64(), seeded_random(1, 1).next_u64());
    EXPECT_NE(Random::from_system().next_u64(), Random::from_system().next_u64());
    Random parent = seeded_random(1);
    Random child = parent.split();
    EXPECT_NE(parent.next_u64(), child.next_u64());
}

TEST(Random, ChildOfForkNeverRepeatsTheParent) {
    Random random = seeded_random(4);
    (void)random.next_u64();  // fills the buffer, so the child inherits unread bytes
    int channel[2];
    ASSERT_EQ(pipe(channel), 0);
    const pid_t child = fork();
    if (child == 0) {
        const uint64_t value = random.next_u64();
        const bool ok = write(channel[1], &value, sizeof value) == sizeof value;
        _exit(ok ? 0 : 1);
    }
    uint64_t from_child = 0;
    ASSERT_EQ(read(channel[0], &from_child, sizeof from_child), ssize_t{sizeof from_child});
    int status = 0;
    waitpid(child, &status, 0);
    close(channel[0]);
    close(channel[1]);
    EXPECT_NE(from_child, random.next_u64());

    // The parent's own stream goes on as if nothing had happened.
    Random reference = seeded_random(4);
    (void)reference.next_u64();
    (void)reference.next_u64();
    EXPECT_EQ(random.next_u64(), reference.next_u64());
}

TEST(Random, UsedAfterMoveIsAnError) {
    Random first = seeded_random(5);
    Random second = std::move(first);
    (void)second.next_u64();
    EXPECT_THROW(first.next_u64(), Error);  // NOLINT(bugprone-use-after-move)
    EXPECT_THROW(second.below(0), Error);
}

// Chi-square of `counts` against a uniform law.
double chi_square(const std::vector<int64_t>& counts, double total) {
    const double expected = total / static_cast<double>(counts.size());
    double sum = 0;
    for (int64_t count : counts) {
        sum += (static_cast<double>(count) - expected) * (static_cast<double>(count) - expected) /
               expected;
    }
    return sum;
}

TEST(Random, BelowIsUniform) {
    // 99 degrees of freedom; 179.7 has a false-alarm rate of 1e-6. The seed is fixed.
    Random random = seeded_random(6);
    std::vector<int64_t> counts(100);
    for (int i = 0; i < 200000; ++i) ++counts[random.below(100)];
    EXPECT_LT(chi_square(counts, 200000), 179.7);
    // A modulus near 2^64 * 2/3: plain reduction would hit the lower half twice as often.
    const uint64_t n = 0xaaaaaaaaaaaaaaabull;
    int64_t low = 0;
    for (int i = 0; i < 40000; ++i) low += random.below(n) < n / 2 ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(low), 20000, 500);  // 5 sigma
}

TEST(Random, BytesAndUniform01AreUniform) {
    Random random = seeded_random(7);
    Bytes data(1 << 20);
    random.fill(std::span(data));
    std::vector<int64_t> counts(256);
    for (uint8_t byte : data) ++counts[byte];
    EXPECT_LT(chi_square(counts, static_cast<double>(data.size())), 377);  // 255 df, 1e-6
    double sum = 0;
    for (int i = 0; i < 100000; ++i) {
        const double value = random.uniform01();
        ASSERT_GE(value, 0.0);
        ASSERT_LT(value, 1.0);
        sum += value;
    }
    EXPECT_NEAR(sum / 100000, 0.5, 5 * 0.2887 / std::sqrt(100000.0));
}

TEST(Random, ShuffleReachesEveryPermutationEquallyOften) {
    Random random = seeded_random(8);
    std::vector<int64_t> counts(24);
    for (int i = 0; i < 24000; ++i) {
        std::array<int, 4> items{0, 1, 2, 3};
        random.shuffle(std::span<int>(items));
        int rank = 0;
        for (int a = 0; a < 4; ++a) {
            int smaller = 0;
            for (int b = a + 1; b < 4; ++b) smaller += items[b] < items[a] ? 1 : 0;
            rank = rank * (4 - a) + smaller;
        }
        ++counts[static_cast<size_t>(rank)];
    }
    EXPECT_LT(chi_square(counts, 24000), 69.0);  // 23 df, 1e-6
}

}  // namespace
}  // namespace ward
