#include "ward/core/key_stream.h"

#include <gtest/gtest.h>

#include "ward/core/error.h"
#include "ward/core/internal/aes_ctr.h"

namespace ward {
namespace {

SecretBytes key_of(uint8_t value) { return SecretBytes(ByteView(Bytes(32, value))); }

TEST(KeyStream, CallsOfAnyLengthsGiveTheSameBytes) {
    Bytes whole(100'000);
    KeyStream(key_of(1)).fill(std::span<uint8_t>(whole));
    KeyStream cut(key_of(1));
    Bytes pieces(whole.size());
    size_t at = 0;
    for (size_t step = 1; at < pieces.size(); step = step * 3 % 40'009 + 1) {
        const size_t count = std::min(step, pieces.size() - at);
        cut.fill(std::span<uint8_t>(pieces).subspan(at, count));
        at += count;
    }
    EXPECT_EQ(pieces, whole);
    EXPECT_EQ(cut.bytes_drawn(), whole.size());
}

TEST(KeyStream, IsAesCounterModeAsTheReferenceComputesIt) {
    constexpr size_t kBlock = 16384;
    Bytes key(32, 9), expected(2 * kBlock), got(2 * kBlock);
    internal::aes256_ctr_openssl(key.data(), key.data(), expected.data(), kBlock);
    internal::aes256_ctr_openssl(key.data(), key.data(), expected.data() + kBlock, kBlock);
    KeyStream(key_of(9)).fill(std::span<uint8_t>(got));
    EXPECT_EQ(got, expected);
}

TEST(KeyStream, OtherKeysGiveOtherBytesAndShortKeysAreRefused) {
    Bytes one(64), other(64);
    KeyStream(key_of(1)).fill(std::span<uint8_t>(one));
    KeyStream(key_of(2)).fill(std::span<uint8_t>(other));
    EXPECT_NE(one, other);
    EXPECT_THROW(KeyStream{SecretBytes(16)}, Error);
}

}  // namespace
}  // namespace ward
