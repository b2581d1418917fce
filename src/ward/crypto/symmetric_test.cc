#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "ward/core/error.h"
#include "ward/crypto/aead.h"
#include "ward/crypto/deterministic.h"
#include "ward/crypto/fernet.h"
#include "ward/crypto/format_preserving.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/kdf.h"
#include "ward/crypto/pseudonym.h"

namespace ward::crypto {
namespace {

using internal::bytes_of;
using internal::text_of;
using ::testing::HasSubstr;

constexpr AeadAlgorithm kAll[] = {AeadAlgorithm::kAes256Gcm, AeadAlgorithm::kChaCha20Poly1305,
                                  AeadAlgorithm::kXChaCha20Poly1305};

TEST(Aead, RoundTripsAndFindsEveryChange) {
    for (const AeadAlgorithm algorithm : kAll) {
        const Aead aead(algorithm, Aead::new_key());
        const Bytes sealed = aead.seal(bytes_of("values"), bytes_of("column"));
        EXPECT_EQ(sealed.size(), aead_nonce_bytes(algorithm) + 6 + kAeadTagBytes);
        EXPECT_TRUE(aead.open(sealed, bytes_of("column")).equals(bytes_of("values")));
        EXPECT_THROW(aead.open(sealed, bytes_of("other")), Error);
        EXPECT_THROW(Aead(algorithm, Aead::new_key()).open(sealed, bytes_of("column")), Error);
        for (size_t i = 0; i < sealed.size(); ++i) {
            Bytes changed = sealed;
            changed[i] ^= 0x10;
            EXPECT_THROW(aead.open(changed, bytes_of("column")), Error) << i;
            EXPECT_THROW(aead.open(ByteView(sealed).first(i), bytes_of("column")), Error) << i;
        }
        EXPECT_NE(aead.seal({}), aead.seal({})) << "a fresh nonce each time";
        EXPECT_EQ(aead.open(aead.seal({})).size(), 0u);
    }
    EXPECT_THROW(Aead(AeadAlgorithm::kAes256Gcm, SecretBytes(16)), Error);
}

TEST(Deterministic, EqualValuesAreEqualWithinAContextOnly) {
    const DeterministicAead aead(DeterministicAead::new_key());
    const Bytes first = aead.seal(bytes_of("patient 7"), bytes_of("ward a"));
    EXPECT_EQ(first, aead.seal(bytes_of("patient 7"), bytes_of("ward a")));
    EXPECT_NE(first, aead.seal(bytes_of("patient 7"), bytes_of("ward b")));
    EXPECT_NE(first, aead.seal(bytes_of("patient 8"), bytes_of("ward a")));
    EXPECT_TRUE(aead.open(first, bytes_of("ward a")).equals(bytes_of("patient 7")));
    EXPECT_THROW(aead.open(first, bytes_of("ward b")), Error);
    EXPECT_THROW(aead.open(Bytes(15), {}), Error);
    EXPECT_THROW(DeterministicAead(SecretBytes(16)), Error);
}

TEST(Fernet, SpecificationsToken) {
    // fernet/spec generate.json and verify.json.
    const auto key = FernetKey::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=");
    const std::string token =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_"
        "5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4"
        "IwqDA==";
    EXPECT_TRUE(key.decrypt(token).equals(bytes_of("hello")));
    EXPECT_TRUE(key.decrypt(token, FernetKey::Limits{499162800, 60}).equals(bytes_of("hello")));
    EXPECT_THROW(key.decrypt(token, FernetKey::Limits{499162861, 60}), Error);
    EXPECT_THROW(key.decrypt(token, FernetKey::Limits{499162700, 60}), Error);
    EXPECT_EQ(text_of(key.text().reveal()), "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=");
    for (size_t i = 0; i < token.size(); ++i) {
        std::string changed = token;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EXPECT_THROW(key.decrypt(changed), Error) << i;
    }
    EXPECT_THROW(key.decrypt(""), Error);
    EXPECT_THROW(FernetKey::parse("short"), Error);
}

TEST(Fernet, TokenOfPythonsCryptography) {
    // cryptography 38.0.4: Fernet(key).encrypt(b"from python").
    const auto key = FernetKey::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=");
    EXPECT_TRUE(
        key.decrypt("gAAAAABrAQ5bxAEM9yvrytUhqd3kmKu1JVchA39b8M9QwdvCRe74aFlBUKI_dVirxWxU3Jm"
                    "hrHXmFwAKLCvimUd1Z5ETS0s1Mg==")
            .equals(bytes_of("from python")));
}

TEST(Fernet, RoundTripsEverySizeAroundABlock) {
    const FernetKey key = FernetKey::generate();
    for (size_t size = 0; size < 50; ++size) {
        const Bytes message(size, 7);
        EXPECT_TRUE(key.decrypt(key.encrypt(message, 1)).equals(message)) << size;
    }
    EXPECT_THROW(FernetKey::generate().decrypt(key.encrypt({}, 1)), Error);
}

TEST(FormatPreserving, IsAPermutationOfASmallDomain) {
    const FormatPreservingCipher cipher(SecretBytes(32), 1000);
    std::set<Numerals> seen;
    for (uint32_t value = 0; value < 1000; ++value) {
        const Numerals out = cipher.ff1_encrypt_vartime({5, value}, bytes_of("t"));
        EXPECT_EQ(cipher.ff1_decrypt_vartime(out, bytes_of("t")), (Numerals{5, value}));
        seen.insert(out);
    }
    EXPECT_EQ(seen.size(), 1000u);
}

TEST(FormatPreserving, SmallDomainsAndBadInputsAreRefused) {
    const FormatPreservingCipher cipher(SecretBytes(16), 10);
    EXPECT_NO_THROW(cipher.ff1_encrypt_vartime({1, 2, 3, 4, 5, 6}, {}));
    EXPECT_THROW(cipher.ff1_encrypt_vartime({1, 2, 3, 4, 5}, {}), Error);
    EXPECT_THROW(cipher.ff1_encrypt_vartime({1, 2, 3, 4, 5, 10}, {}), Error);
    EXPECT_THROW(cipher.ff1_encrypt_vartime({}, {}), Error);
    EXPECT_THROW(cipher.ff1_encrypt_vartime(Numerals(4097), {}), Error);
    EXPECT_THROW(cipher.ff3_decrypt_vartime(Numerals(10), Bytes(6)), Error);
    EXPECT_THROW(cipher.ff3_decrypt_vartime(Numerals(60), Bytes(7)), Error);
    EXPECT_THROW(FormatPreservingCipher(SecretBytes(16), 1), Error);
    EXPECT_THROW(FormatPreservingCipher(SecretBytes(17), 10), Error);
}

TEST(Kdf, ScryptVectorsOfRfc7914) {
    EXPECT_EQ(internal::hex(scrypt({}, {}, {.log2_n = 4, .r = 1, .p = 1}, 64).reveal()),
              "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
              "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    EXPECT_EQ(internal::hex(scrypt(bytes_of("password"), bytes_of("NaCl"),
                                   {.log2_n = 10, .r = 8, .p = 16}, 64)
                                .reveal()),
              "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
              "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
    EXPECT_THROW(scrypt({}, {}, {.log2_n = 0}, 64), Error);
    EXPECT_THROW(scrypt({}, {}, {.log2_n = 31}, 64), Error);
}

TEST(Pseudonyms, JoinWithinADomainOnly) {
    SecretBytes key(32);
    const Pseudonyms names(key, "people.name");
    EXPECT_EQ(names.of("Ada").size(), 32u);
    EXPECT_EQ(names.of("Ada"), Pseudonyms(key, "people.name").of("Ada"));
    EXPECT_NE(names.of("Ada"), Pseudonyms(key, "people.city").of("Ada"));
    EXPECT_NE(names.of("Ada"), names.of("Bob"));
    key.reveal_mutable()[0] = 1;
    EXPECT_NE(names.of("Ada"), Pseudonyms(key, "people.name").of("Ada"));
    EXPECT_THROW(Pseudonyms(SecretBytes(15), ""), Error);
    EXPECT_EQ(guessable_salted_hash(bytes_of("a"), "bc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace ward::crypto
