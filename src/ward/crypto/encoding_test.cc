#include "ward/crypto/internal/encoding.h"

#include <gtest/gtest.h>

#include <string>

namespace ward::crypto::internal {
namespace {

TEST(Base64, KnownAnswersOfRfc4648) {
    EXPECT_EQ(base64(bytes_of(""), Base64::kPadded), "");
    EXPECT_EQ(base64(bytes_of("f"), Base64::kPadded), "Zg==");
    EXPECT_EQ(base64(bytes_of("fo"), Base64::kPadded), "Zm8=");
    EXPECT_EQ(base64(bytes_of("foobar"), Base64::kPadded), "Zm9vYmFy");
    EXPECT_EQ(base64(bytes_of("fo"), Base64::kUnpadded), "Zm8");
    EXPECT_EQ(base64(Bytes{0xfb, 0xff}, Base64::kUrlPadded), "-_8=");
    EXPECT_EQ(text_of(*decode_base64("Zm9vYmE=", Base64::kPadded)), "fooba");
}

TEST(Base64, RefusesEveryFormButTheCanonicalOne) {
    for (const char* text :
         {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z", "Zg==\n", " Zg==", "Z g=="}) {
        EXPECT_FALSE(decode_base64(text, Base64::kPadded)) << text;
    }
    for (const char* text : {"Zg==", "Zh", "Z", "Zm8="}) {
        EXPECT_FALSE(decode_base64(text, Base64::kUnpadded)) << text;
    }
}

TEST(Base64, EachTextOfFourBytesStandsForItselfOnly) {
    // One changed byte at each place, all 256 values: what decodes must encode to the same text.
    const std::string good = "Ab+/";
    for (size_t place = 0; place < good.size(); ++place) {
        for (int value = 0; value < 256; ++value) {
            std::string text = good;
            text[place] = static_cast<char>(value);
            const auto bytes = decode_base64(text, Base64::kPadded);
            if (bytes) {
                EXPECT_EQ(base64(*bytes, Base64::kPadded), text) << value;
            }
        }
    }
}

TEST(Hex, RoundTripsAndRefusesOddLengths) {
    EXPECT_EQ(hex(Bytes{0x00, 0xab, 0xff}), "00abff");
    EXPECT_EQ(*decode_hex("00ABff"), (Bytes{0x00, 0xab, 0xff}));
    EXPECT_FALSE(decode_hex("abc"));
    EXPECT_FALSE(decode_hex("zz"));
}

TEST(Bech32, VectorsOfBip173) {
    const auto decoded = decode_bech32("A12UEL5L");
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->hrp, "a");
    EXPECT_TRUE(decoded->data.empty());
    EXPECT_TRUE(decode_bech32("?1ezyfcl"));
    const auto split =
        decode_bech32("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w");
    ASSERT_TRUE(split);
    EXPECT_EQ(hex(split->data.reveal()),
              "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d");
    for (const char* text : {"A1G7SGD8", "10a06t8", "1qzzfhee", "x1b4n0q5v", "li1dgmt3",
                             "de1lg7wt\xff", "pzry9x0s0muk", "split1cheo2y9e2w",
                             "Split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"}) {
        EXPECT_FALSE(decode_bech32(text)) << text;
    }
}

TEST(Bech32, EachCharacterCounts) {
    const Bytes data{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const SecretBytes encoded = bech32("age", data, false);
    const std::string good(text_of(encoded.reveal()));
    for (size_t place = 0; place < good.size(); ++place) {
        for (int value = 0; value < 256; ++value) {
            std::string text = good;
            text[place] = static_cast<char>(value);
            EXPECT_EQ(decode_bech32(text).has_value(), text == good) << place << " " << value;
        }
    }
}

}  // namespace
}  // namespace ward::crypto::internal
