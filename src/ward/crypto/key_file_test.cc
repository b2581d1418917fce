#include "ward/crypto/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/internal/encoding.h"

namespace ward::crypto {
namespace {

using internal::bytes_of;
using internal::text_of;
using ::testing::HasSubstr;

class KeyFile : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ = std::filesystem::path(::testing::TempDir()) /
                  ("ward_key_file_test_" + std::to_string(::getpid()));
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::string path(const char* name) const { return (folder_ / name).string(); }

    template <typename Action>
    static Error error_of(Action action) {
        try {
            action();
        } catch (const Error& error) {
            return error;
        }
        return Error(ErrorCode::kInternal, "no error");
    }

    std::filesystem::path folder_;
};

TEST_F(KeyFile, IdentitiesRoundTripForTheOwnerOnly) {
    const AgeIdentity identity = AgeIdentity::generate();
    const SecretBytes text = identity_file_text(identity, "2026-01-01T00:00:00Z");
    write_secret_file(path("key"), text.reveal());
    struct stat status {};
    ASSERT_EQ(::stat(path("key").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    const auto loaded = load_identities(path("key"), nullptr);
    ASSERT_EQ(loaded.size(), 1u);
    EXPECT_EQ(loaded[0].recipient(), identity.recipient());
    EXPECT_THAT(error_of([&] { write_secret_file(path("key"), text.reveal()); }).message(),
                HasSubstr("File exists"));
    ::chmod(path("key").c_str(), 0640);
    const Error error = error_of([&] { load_identities(path("key"), nullptr); });
    EXPECT_EQ(error.code(), ErrorCode::kRefused);
    EXPECT_THAT(error.message(), HasSubstr("has mode 0640"));
}

TEST_F(KeyFile, EncryptedIdentityFilesAskForThePassphrase) {
    const AgeIdentity identity = AgeIdentity::generate();
    const SecretBytes text = identity_file_text(identity, "now");
    AgeRecipients passphrase;
    passphrase.passphrase = SecretBytes(bytes_of("pass"));
    passphrase.scrypt_log2_n = 4;
    MemorySource in(text.reveal());
    MemorySink out;
    age_encrypt(in, out, passphrase, true);
    write_secret_file(path("key.age"), out.bytes());
    const auto right = [] { return SecretBytes(bytes_of("pass")); };
    EXPECT_EQ(load_identities(path("key.age"), right).at(0).recipient(), identity.recipient());
    const auto wrong = [] { return SecretBytes(bytes_of("x")); };
    EXPECT_THAT(error_of([&] { load_identities(path("key.age"), wrong); }).message(),
                HasSubstr("key.age: the passphrase is not that of this file"));
}

TEST_F(KeyFile, ErrorsNameTheLineAndNotTheSecret) {
    const AgeIdentity identity = AgeIdentity::generate();
    std::string text(text_of(identity.text().reveal()));
    const std::string middle = text.substr(20, 20);
    text.back() = text.back() == 'Q' ? 'P' : 'Q';
    write_secret_file(path("bad"), bytes_of("# x\n\n" + text + "\n"));
    const Error error = error_of([&] { load_identities(path("bad"), nullptr); });
    EXPECT_THAT(error.message(), HasSubstr("bad, line 3: an identity must be"));
    EXPECT_THAT(error.message(), ::testing::Not(HasSubstr(middle)));
    write_secret_file(path("empty"), bytes_of("# nothing\n"));
    EXPECT_THAT(error_of([&] { load_identities(path("empty"), nullptr); }).message(),
                HasSubstr("holds no AGE-SECRET-KEY-1"));
    EXPECT_EQ(error_of([&] { load_identities(path("none"), nullptr); }).code(),
              ErrorCode::kNotFound);
}

TEST_F(KeyFile, RecipientsAndSigningKeys) {
    const AgeRecipient a = AgeIdentity::generate().recipient();
    const AgeRecipient b = AgeIdentity::generate().recipient();
    write_file_atomically(path("team"), "# team\n" + a.text() + "\r\n\n" + b.text());
    EXPECT_EQ(load_recipients(path("team")), (std::vector<AgeRecipient>{a, b}));
    const SigningKey key = SigningKey::generate();
    write_secret_file(path("k.key"), key.file_text({}).reveal());
    write_file_atomically(path("k.pub"), key.verification_key().file_text());
    EXPECT_EQ(load_signing_key(path("k.key"), nullptr).verification_key(),
              load_verification_key(path("k.pub")));
}

}  // namespace
}  // namespace ward::crypto
