#include "ward/crypto/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/random.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/release.h"

namespace ward::crypto {
namespace {

using internal::bytes_of;
using internal::text_of;
using ::testing::HasSubstr;

std::string sign_text(std::string_view content, const SigningKey& key, const std::string& comment) {
    MemorySource in(bytes_of(content));
    return sign(in, key, {.trusted = comment});
}

VerifiedSignature verify_text(std::string_view content, const std::string& signature,
                              const std::vector<VerificationKey>& keys) {
    MemorySource in(bytes_of(content));
    return verify(in, signature, keys);
}

std::string verification_error(std::string_view content, const std::string& signature,
                               const std::vector<VerificationKey>& keys) {
    try {
        verify_text(content, signature, keys);
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}

TEST(Signature, RoundTripsAndNamesTheKeyThatMadeIt) {
    const SigningKey first = SigningKey::generate();
    const SigningKey second = SigningKey::generate();
    const std::vector<VerificationKey> keys = {first.verification_key(), second.verification_key()};
    const std::string signature = sign_text("model", second, "release 1");
    const VerifiedSignature verified = verify_text("model", signature, keys);
    EXPECT_EQ(verified.key_index, 1u);
    EXPECT_EQ(verified.trusted_comment, "release 1");
    EXPECT_THAT(verification_error("Model", signature, keys), HasSubstr("does not match the file"));
    EXPECT_EQ(verification_error("model", signature, {keys[0]}),
              "the signature is by key " + keys[1].number_text() + ", trusted is " +
                  keys[0].number_text());
}

TEST(Signature, MadeByMinisignVerifies) {
    // minisign 0.11, `minisign -G -W`, file "hello\n".
    const auto key = VerificationKey::parse(
        "untrusted comment: minisign public key "
        "A09565F57C394A44\nRWRESjl89WWVoEzoifGZSonDj/Lei/lf2l2YPdUJ3VcqxOIAD9IlapyI\n");
    const std::string signature =
        "untrusted comment: signature from minisign secret key\n"
        "RURESjl89WWVoPu6ogxlJ7XLCaK7Oy3/"
        "288h5yNbqkGNmBxnqnky+5+W2y8euUWC9LvngnusLaLRn6BzUwBOhtyL5OZut7S0mAk=\n"
        "trusted comment: made by minisign\n"
        "Ldn62jny4UekAlN68ad4eM2CXUnjrntzRBhImnxyeYtvdofPaqoqRh0pFH6lmqngZscLrHr5J+N5+CwUeoYIDw=="
        "\n";
    EXPECT_EQ(key.number_text(), "A09565F57C394A44");
    EXPECT_EQ(verify_text("hello\n", signature, {key}).trusted_comment, "made by minisign");
    const SigningKey secret_key = SigningKey::parse(
        "untrusted comment: minisign encrypted secret key\n"
        "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAREo5fPVllaD1Ju+"
        "kF83NNtcizjXRfTQwZNVeGC57HT2eyFCOLKW1IUzoifGZSonDj/Lei/"
        "lf2l2YPdUJ3VcqxOIAD9IlapyIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        nullptr);
    EXPECT_EQ(secret_key.verification_key(), key);
    // Ed25519 is deterministic, so Ward's signature is minisign's.
    const std::string ours = sign_text("hello\n", secret_key, "made by minisign");
    EXPECT_EQ(ours.substr(ours.find('\n')), signature.substr(signature.find('\n')));
}

TEST(Signature, EveryChangedByteIsFound) {
    const SigningKey key = SigningKey::generate();
    const std::string signature = sign_text("model", key, "release 1");
    const size_t checked_from = signature.find('\n') + 1;  // the first comment is untrusted
    for (size_t i = checked_from; i + 1 < signature.size(); ++i) {
        for (const int bit : {1, 2, 64, 128}) {
            std::string changed = signature;
            changed[i] = static_cast<char>(changed[i] ^ bit);
            EXPECT_NE(verification_error("model", changed, {key.verification_key()}), "")
                << i << " " << bit;
        }
    }
}

TEST(Signature, OlderFormatAndMalformedFilesAreRefused) {
    const SigningKey key = SigningKey::generate();
    const std::vector<VerificationKey> keys = {key.verification_key()};
    std::string legacy = sign_text("model", key, "x");
    legacy[legacy.find("\nRU") + 2] = 'W';  // "ED" becomes "Ed"
    EXPECT_THAT(verification_error("model", legacy, keys), HasSubstr("older format"));
    EXPECT_THAT(verification_error("model", "", keys), HasSubstr("four lines"));
    EXPECT_THAT(verification_error("model", "a\nb\nc\nd\n", keys), HasSubstr("line 1"));
    EXPECT_THROW(sign_text("model", key, "two\nlines"), Error);
    EXPECT_THROW(VerificationKey::parse("RWQ"), Error);
    EXPECT_THROW(VerificationKey::parse(""), Error);
    EXPECT_THROW(SigningKey::parse("untrusted comment: x\nRWQ\n", nullptr), Error);
}

TEST(Signature, SecretKeyFilesRoundTrip) {
    const SigningKey key = SigningKey::generate();
    const SecretBytes plain = key.file_text({});
    const SigningKey again = SigningKey::parse(text_of(plain.reveal()), nullptr);
    EXPECT_EQ(again.verification_key(), key.verification_key());
    EXPECT_EQ(again.sign_message(bytes_of("m")), key.sign_message(bytes_of("m")));
    std::string changed(text_of(plain.reveal()));
    changed[changed.size() - 60] ^= 1;
    EXPECT_THROW(SigningKey::parse(changed, nullptr), Error);
}

TEST(Release, FindsAddedChangedAndMissingFiles) {
    namespace fs = std::filesystem;
    const fs::path folder =
        fs::path(::testing::TempDir()) / ("ward_release_" + std::to_string(::getpid()));
    fs::remove_all(folder);
    fs::create_directories(folder / "sub");
    write_file_atomically((folder / "a").string(), std::string_view("1"));
    write_file_atomically((folder / "sub/b").string(), std::string_view("2"));
    const SigningKey key = SigningKey::generate();
    const std::vector<VerificationKey> keys = {key.verification_key()};
    sign_release(folder.string(), key, "v1");
    EXPECT_EQ(verify_release(folder.string(), keys).files, 2u);
    const auto error = [&] {
        try {
            verify_release(folder.string(), keys);
        } catch (const Error& problem) {
            return problem.message();
        }
        return std::string();
    };
    write_file_atomically((folder / "sub/c").string(), std::string_view("3"));
    EXPECT_EQ(error(), "sub/c was added after signing");
    fs::remove(folder / "sub/c");
    write_file_atomically((folder / "a").string(), std::string_view("9"));
    EXPECT_EQ(error(), "a was changed after signing");
    fs::remove(folder / "a");
    EXPECT_EQ(error(), "a is missing");
    write_file_atomically((folder / "a").string(), std::string_view("1"));
    EXPECT_EQ(error(), "");
    std::ofstream(folder / kReleaseManifestName, std::ios::app) << "x";
    EXPECT_THAT(error(), HasSubstr("does not match the file"));
    sign_release(folder.string(), key, "v1");
    fs::create_symlink("a", folder / "link");
    EXPECT_THAT(error(), HasSubstr("a link or device"));
    fs::remove_all(folder);
}

TEST(Ed25519, WycheproofVerification) {
    const std::string path = WARD_SHARED_DIR "/vectors/wycheproof/ed25519_test.json";
    if (!std::filesystem::exists(path)) GTEST_SKIP();
    const auto file = nlohmann::json::parse(read_text_file(path));
    int count = 0;
    for (const auto& group : file["testGroups"]) {
        const auto point = internal::decode_hex(group["publicKey"]["pk"].get<std::string>());
        std::array<uint8_t, 32> key{};
        std::copy_n(point->begin(), 32, key.begin());
        for (const auto& test : group["tests"]) {
            const auto message = internal::decode_hex(test["msg"].get<std::string>());
            const auto signature = internal::decode_hex(test["sig"].get<std::string>());
            EXPECT_EQ(VerificationKey({}, key).verify_message(*message, *signature),
                      test["result"].get<std::string>() == "valid")
                << test["tcId"];
            ++count;
        }
    }
    EXPECT_EQ(count, file["numberOfTests"].get<int>());
}

TEST(Ed25519, EdgeCasesOfCctvFollowOneRule) {
    // libsodium's rule: canonical A, no small-order A or R, cofactorless. A mixed-order A passes
    // only where the equation holds without the cofactor.
    const std::string path = WARD_SHARED_DIR "/vectors/ed25519/ed25519vectors.json";
    if (!std::filesystem::exists(path)) GTEST_SKIP();
    const auto file = nlohmann::json::parse(read_text_file(path));
    for (const auto& test : file) {
        std::array<uint8_t, 32> key{};
        const auto point = internal::decode_hex(test["key"].get<std::string>());
        std::copy_n(point->begin(), 32, key.begin());
        std::vector<std::string> flags;
        if (!test["flags"].is_null()) flags = test["flags"].get<std::vector<std::string>>();
        const auto has = [&](const char* flag) {
            return std::find(flags.begin(), flags.end(), flag) != flags.end();
        };
        const bool expected = !has("low_order_A") && !has("low_order_R") &&
                              !has("non_canonical_A") && !has("non_canonical_R") &&
                              !has("low_order_residue");
        const auto signature = internal::decode_hex(test["sig"].get<std::string>());
        EXPECT_EQ(VerificationKey({}, key).verify_message(bytes_of(test["msg"].get<std::string>()),
                                                          *signature),
                  expected)
            << test["number"];
    }
}

}  // namespace
}  // namespace ward::crypto
