// Project Wycheproof's vectors (testvectors_v1): what is valid gives exactly the values listed,
// what is invalid is refused.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/aead.h"
#include "ward/crypto/deterministic.h"
#include "ward/crypto/format_preserving.h"
#include "ward/crypto/internal/aead_cipher.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/x25519.h"
#include "ward/crypto/kdf.h"

namespace ward::crypto {
namespace {

using Json = nlohmann::json;

Bytes bytes_at(const Json& test, const char* name) {
    return internal::decode_hex(test[name].get<std::string>()).value();
}

SecretBytes secret_at(const Json& test, const char* name) {
    return SecretBytes(bytes_at(test, name));
}

// Calls check(group, test, is_valid) for each test; false when the file is not there.
bool for_each_test(const std::string& name,
                   const std::function<void(const Json&, const Json&, bool)>& check) {
    const std::string path = WARD_SHARED_DIR "/vectors/wycheproof/" + name + "_test.json";
    if (!std::filesystem::exists(path)) return false;
    const Json file = Json::parse(read_text_file(path));
    int count = 0;
    for (const Json& group : file["testGroups"]) {
        for (const Json& test : group["tests"]) {
            SCOPED_TRACE(name + " test " + std::to_string(test["tcId"].get<int>()));
            check(group, test, test["result"].get<std::string>() == "valid");
            ++count;
        }
    }
    EXPECT_EQ(count, file["numberOfTests"].get<int>());
    return true;
}

Bytes concat(const Bytes& a, const Bytes& b) {
    Bytes out = a;
    out.insert(out.end(), b.begin(), b.end());
    return out;
}

void check_aead(AeadAlgorithm algorithm, const Json& test, bool valid) {
    const Aead aead(algorithm, secret_at(test, "key"));
    const Bytes nonce = bytes_at(test, "iv");
    const Bytes message = bytes_at(test, "msg");
    const Bytes associated = bytes_at(test, "aad");
    const Bytes sealed = concat(bytes_at(test, "ct"), bytes_at(test, "tag"));
    Bytes opened(message.size());
    if (nonce.size() != aead_nonce_bytes(algorithm)) {
        EXPECT_THROW((void)aead.open_with_nonce(nonce, sealed, associated, opened), Error);
        return;
    }
    EXPECT_EQ(aead.open_with_nonce(nonce, sealed, associated, opened), valid);
    EXPECT_EQ(opened, valid ? message : Bytes(message.size()));
    if (!valid) return;
    Bytes ours(sealed.size());
    aead.seal_with_nonce(nonce, message, associated, ours);
    EXPECT_EQ(ours, sealed);
}

TEST(Wycheproof, ChaCha20Poly1305) {
    if (!for_each_test("chacha20_poly1305", [](const Json&, const Json& test, bool valid) {
            check_aead(AeadAlgorithm::kChaCha20Poly1305, test, valid);
        })) {
        GTEST_SKIP();
    }
}

TEST(Wycheproof, XChaCha20Poly1305) {
    if (!for_each_test("xchacha20_poly1305", [](const Json&, const Json& test, bool valid) {
            check_aead(AeadAlgorithm::kXChaCha20Poly1305, test, valid);
        })) {
        GTEST_SKIP();
    }
}

TEST(Wycheproof, AesGcm) {
    if (!for_each_test("aes_gcm", [](const Json&, const Json& test, bool valid) {
            if (test["key"].get<std::string>().size() == 64) {
                check_aead(AeadAlgorithm::kAes256Gcm, test, valid);
                return;
            }
            // Shorter keys are for the internal cipher only; other nonces than 12 bytes for nobody.
            internal::AeadCipher cipher(internal::AeadCipher::Kind::kAesGcm, bytes_at(test, "key"));
            const Bytes sealed = concat(bytes_at(test, "ct"), bytes_at(test, "tag"));
            Bytes opened(sealed.size() - kAeadTagBytes);
            const Bytes nonce = bytes_at(test, "iv");
            if (nonce.size() != 12) {
                EXPECT_THROW((void)cipher.open(nonce, sealed, bytes_at(test, "aad"), opened),
                             Error);
                return;
            }
            EXPECT_EQ(cipher.open(nonce, sealed, bytes_at(test, "aad"), opened), valid);
            if (valid) {
                EXPECT_EQ(opened, bytes_at(test, "msg"));
            }
        })) {
        GTEST_SKIP();
    }
}

TEST(Wycheproof, AesSiv) {
    if (!for_each_test("aes_siv_cmac", [](const Json&, const Json& test, bool valid) {
            const DeterministicAead aead(secret_at(test, "key"));
            const Bytes associated = bytes_at(test, "aad");
            const Bytes sealed = bytes_at(test, "ct");
            if (!valid) {
                EXPECT_THROW(aead.open(sealed, associated), Error);
                return;
            }
            EXPECT_TRUE(aead.open(sealed, associated).equals(bytes_at(test, "msg")));
            EXPECT_EQ(aead.seal(bytes_at(test, "msg"), associated), sealed);
        })) {
        GTEST_SKIP();
    }
}

void check_hkdf(Hash hash, const Json& test, bool valid) {
    const auto derive = [&] {
        return hkdf(hash, bytes_at(test, "ikm"), bytes_at(test, "salt"), bytes_at(test, "info"),
                    test["size"].get<size_t>());
    };
    if (!valid) {
        EXPECT_THROW(derive(), Error);
        return;
    }
    EXPECT_TRUE(derive().equals(bytes_at(test, "okm")));
}

TEST(Wycheproof, Hkdf) {
    const bool there = for_each_test("hkdf_sha256", [](const Json&, const Json& test, bool valid) {
        check_hkdf(Hash::kSha256, test, valid);
    });
    if (!there) GTEST_SKIP();
    EXPECT_TRUE(for_each_test("hkdf_sha512", [](const Json&, const Json& test, bool valid) {
        check_hkdf(Hash::kSha512, test, valid);
    }));
}

TEST(Wycheproof, Hmac) {
    if (!for_each_test("hmac_sha256", [](const Json& group, const Json& test, bool valid) {
            Bytes tag = hmac(Hash::kSha256, bytes_at(test, "key"), bytes_at(test, "msg"));
            tag.resize(group["tagSize"].get<size_t>() / 8);
            EXPECT_EQ(equal_constant_time(tag, bytes_at(test, "tag")), valid);
        })) {
        GTEST_SKIP();
    }
}

TEST(Wycheproof, Pbkdf2) {
    if (!for_each_test("pbkdf2_hmacsha256", [](const Json&, const Json& test, bool) {
            EXPECT_TRUE(pbkdf2(Hash::kSha256, bytes_at(test, "password"), bytes_at(test, "salt"),
                               test["iterationCount"].get<uint32_t>(), test["dkLen"].get<size_t>())
                            .equals(bytes_at(test, "dk")));
        })) {
        GTEST_SKIP();
    }
}

TEST(Wycheproof, X25519) {
    // "Acceptable" results are points of low order or off the curve: the zero ones are refused.
    if (!for_each_test("x25519", [](const Json&, const Json& test, bool valid) {
            const Bytes expected = bytes_at(test, "shared");
            const bool zero = expected == Bytes(32);
            const auto shared =
                internal::x25519(bytes_at(test, "private"), bytes_at(test, "public"));
            EXPECT_FALSE(valid && zero);
            ASSERT_EQ(shared.has_value(), !zero);
            if (shared) {
                EXPECT_TRUE(shared->equals(expected));
            }
        })) {
        GTEST_SKIP();
    }
}

void check_ff1(const SecretBytes& key, uint32_t radix, const Bytes& tweak, const Numerals& message,
               const Numerals& expected, bool valid) {
    double domain = 1;
    for (size_t i = 0; i < message.size(); ++i) domain *= radix;
    const auto encrypt = [&](const Numerals& text) {
        return FormatPreservingCipher(key, radix).ff1_encrypt_vartime(text, tweak);
    };
    const auto decrypt = [&](const Numerals& text) {
        return FormatPreservingCipher(key, radix).ff1_decrypt_vartime(text, tweak);
    };
    if (!valid || domain < 1e6) {
        EXPECT_THROW(encrypt(message), Error);
        EXPECT_THROW(decrypt(message), Error);
        return;
    }
    EXPECT_EQ(encrypt(message), expected);
    EXPECT_EQ(decrypt(expected), message);
}

Numerals numerals_of(const std::string& text, const std::string& alphabet) {
    Numerals out;
    for (const char c : text) out.push_back(static_cast<uint32_t>(alphabet.find(c)));
    return out;
}

TEST(Wycheproof, Ff1Base62) {
    if (!for_each_test("aes_ff1_base62", [](const Json& group, const Json& test, bool valid) {
            const std::string alphabet = group["alphabet"];
            check_ff1(secret_at(test, "key"), group["radix"], bytes_at(test, "tweak"),
                      numerals_of(test["msg"], alphabet), numerals_of(test["ct"], alphabet), valid);
        })) {
        GTEST_SKIP();
    }
}

TEST(Wycheproof, Ff1Radix65536) {
    if (!for_each_test("aes_ff1_radix65536", [](const Json& group, const Json& test, bool valid) {
            Numerals message;
            for (const Json& value : test["msg"]) {
                const auto numeral = value.get<int64_t>();
                message.push_back(numeral < 0 ? UINT32_MAX : static_cast<uint32_t>(numeral));
            }
            check_ff1(secret_at(test, "key"), group["radix"], bytes_at(test, "tweak"), message,
                      valid ? test["ct"].get<Numerals>() : Numerals(), valid);
        })) {
        GTEST_SKIP();
    }
}

Json read_fpe_vectors(const std::string& name) {
    const std::string path = WARD_SHARED_DIR "/vectors/fpe/" + name;
    return std::filesystem::exists(path) ? Json::parse(read_text_file(path)) : Json();
}

TEST(FormatPreserving, NistSamplesOfFf1) {
    const Json file = read_fpe_vectors("ff1_nist_samples.json");
    if (file.is_null()) GTEST_SKIP();
    for (const Json& test : file["tests"]) {
        check_ff1(secret_at(test, "key"), test["radix"], bytes_at(test, "tweak"),
                  numerals_of(test["plaintext"], file["alphabet"]),
                  numerals_of(test["ciphertext"], file["alphabet"]), true);
    }
}

TEST(FormatPreserving, OldFf3TextsAreDecrypted) {
    for (const char* name : {"ff3_nist_samples.json", "ff3_1_acvp_draft.json"}) {
        const Json file = read_fpe_vectors(name);
        if (file.is_null()) GTEST_SKIP();
        for (const Json& test : file["tests"]) {
            const std::string alphabet =
                test.contains("alphabet") ? test["alphabet"] : file["alphabet"];
            const FormatPreservingCipher cipher(secret_at(test, "key"), test["radix"]);
            EXPECT_EQ(cipher.ff3_decrypt_vartime(numerals_of(test["ciphertext"], alphabet),
                                                 bytes_at(test, "tweak")),
                      numerals_of(test["plaintext"], alphabet))
                << name << test["key"];
        }
    }
}

}  // namespace
}  // namespace ward::crypto
