#include "ward/crypto/ristretto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "ward/core/testing/errors.h"

namespace ward::crypto {
namespace {

using ::testing::HasSubstr;

RistrettoElement from_hex(const std::string& text) {
    RistrettoElement out;
    for (size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<uint8_t>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
    }
    return out;
}

RistrettoElement hash_of(const std::string& text) {
    return hash_to_ristretto({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// RFC 9496, appendix A.1: small multiples of the generator.
TEST(Ristretto, PowersOfTheGeneratorAreThoseOfTheRfc) {
    const RistrettoElement generator =
        from_hex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76");
    const char* multiples[] = {"e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
                               "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
                               "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259"};
    for (uint8_t k = 1; k <= 3; ++k) {
        SecretBytes scalar(32);
        scalar.reveal_mutable()[0] = k;
        EXPECT_EQ(ristretto_power(generator, scalar), from_hex(multiples[k - 1]));
    }
}

// RFC 9496, appendix A.3: SHA-512 of this text, mapped into the group.
TEST(Ristretto, HashIsThatOfTheRfc) {
    EXPECT_EQ(hash_of("Ristretto is traditionally a short shot of espresso coffee"),
              from_hex("3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46"));
}

TEST(Ristretto, BlindingsCommute) {
    const SecretBytes x = ristretto_random_scalar(), y = ristretto_random_scalar();
    const RistrettoElement id = hash_of("person 7");
    EXPECT_EQ(ristretto_power(ristretto_power(id, x), y),
              ristretto_power(ristretto_power(id, y), x));
    EXPECT_NE(ristretto_power(id, x), ristretto_power(id, y));
}

TEST(Ristretto, RefusesWhatIsNoElement) {
    const SecretBytes x = ristretto_random_scalar();
    RistrettoElement bad;
    bad.fill(0xff);
    EXPECT_THAT(testonly::message_of([&] { (void)ristretto_power(bad, x); }, ErrorCode::kCorrupt),
                HasSubstr("no element of ristretto255"));
    bad.fill(0);  // the identity
    EXPECT_THAT(testonly::message_of([&] { (void)ristretto_power(bad, x); }, ErrorCode::kCorrupt),
                HasSubstr("identity"));
}

}  // namespace
}  // namespace ward::crypto
