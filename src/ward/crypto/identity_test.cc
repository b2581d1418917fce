#include "ward/crypto/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/x509.h"
#include "ward/crypto/key_file.h"

namespace ward::crypto {
namespace {

using internal::bytes_of;
using internal::text_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename Action>
Error error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    return Error(ErrorCode::kInternal, "no error");
}

TEST(Certificate, SaysWhoItIs) {
    for (const IdentityKey kind : {IdentityKey::kEd25519, IdentityKey::kP256}) {
        const auto identity = NetworkIdentity::create(
            "hospital-a", {.key = kind, .hosts = {"api.example.org", "10.0.0.1", "::1"}});
        const Certificate& certificate = identity.certificate();
        EXPECT_EQ(certificate.name(), "hospital-a");
        EXPECT_EQ(certificate.issuer_name(), "hospital-a");
        EXPECT_TRUE(certificate.is_self_signed());
        EXPECT_FALSE(certificate.is_authority());
        EXPECT_THAT(internal::certificate_hosts(certificate),
                    ElementsAre("hospital-a", "api.example.org", "10.0.0.1", "0:0:0:0:0:0:0:1"));
        EXPECT_LE(certificate.valid_from(), std::time(nullptr) - 299);
        EXPECT_GE(certificate.valid_until(), std::time(nullptr) + 396 * 86400);
        EXPECT_EQ(Certificate::parse_pem(certificate.pem()), certificate);
    }
}

// The pin of a fixed certificate, computed once by
// openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum.
TEST(Certificate, PinIsThatOfCurl) {
    const Certificate certificate = Certificate::parse_pem(
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBMjCB5aADAgECAhRFkU55AK8niW3E1MnL050uJpVA5TAFBgMrZXAwDjEMMAoG\n"
        "A1UEAwwDcGluMCAXDTI2MTEyMTA0MTQ1NFoYDzIxMjYxMDI4MDQxNDU0WjAOMQww\n"
        "CgYDVQQDDANwaW4wKjAFBgMrZXADIQBFliaLCY63hq++o2WjLl6h0Fd4D7I00awd\n"
        "+iIP7FMrYaNTMFEwHQYDVR0OBBYEFJIZH1OSAVzqIDx0u3Dpgt/iZRD1MB8GA1Ud\n"
        "IwQYMBaAFJIZH1OSAVzqIDx0u3Dpgt/iZRD1MA8GA1UdEwEB/wQFMAMBAf8wBQYD\n"
        "K2VwA0EAyI67dOCtyJtLq28hYYC5f9o43Xru8+BboDSpqH8VTTd2K1LmsRnVUODT\n"
        "2wvJUWeoQsps2NABZDAmo9Rd9KO3Bg==\n"
        "-----END CERTIFICATE-----\n");
    EXPECT_EQ(certificate.pin(), "sha256//8gUud0jVJkwzQkkGnEje9VqstuvDpDpERf/BzzVnEGY=");
    EXPECT_EQ(certificate.name(), "pin");
}

TEST(Certificate, RefusesWhatIsNone) {
    EXPECT_THAT(error_of([] { Certificate::parse_pem("hello"); }).message(),
                HasSubstr("not a certificate"));
    EXPECT_THAT(error_of([] { require_party_name("Alice"); }).message(),
                HasSubstr("got \"Alice\""));
    for (const char* bad : {"", "a..b", "-a", "a-", ".a", "a.", "../a", "a b", "a_b", "\x1b[2J"}) {
        EXPECT_EQ(error_of([&] { require_party_name(bad); }).code(), ErrorCode::kInvalid) << bad;
    }
    EXPECT_EQ(error_of([] { require_party_name(std::string(65, 'a')); }).code(),
              ErrorCode::kInvalid);
    require_party_name("a");
    require_party_name(std::string(63, 'a'));
    require_party_name("model-1.hospital.example");
}

TEST(PeerPin, Parses) {
    const std::string pin = NetworkIdentity::create("bob").pin();
    EXPECT_EQ(PeerPin::parse(" bob \t" + pin + "\r"), (PeerPin{"bob", pin}));
    for (const std::string& bad :
         {std::string("bob"), "bob sha1//" + pin.substr(8), "bob " + pin.substr(0, 30), pin}) {
        EXPECT_EQ(error_of([&] { PeerPin::parse(bad); }).code(), ErrorCode::kInvalid) << bad;
    }
}

TEST(NetworkIdentity, RoundTripsAndKeepsItsPinWhenRenewed) {
    const auto alice = NetworkIdentity::create("alice", {.hosts = {"alice.example"}});
    const auto again = NetworkIdentity::from_pem(alice.key_pem(), alice.chain());
    EXPECT_EQ(again.pin(), alice.pin());
    const auto later = alice.renewed({.duration = std::chrono::hours(24)});
    EXPECT_EQ(later.pin(), alice.pin());
    EXPECT_LT(later.certificate().valid_until(), alice.certificate().valid_until());
    EXPECT_THAT(internal::certificate_hosts(later.certificate()),
                ElementsAre("alice", "alice.example"));
    const auto bob = NetworkIdentity::create("bob");
    EXPECT_THAT(
        error_of([&] { NetworkIdentity::from_pem(alice.key_pem(), bob.chain()); }).message(),
        HasSubstr("the certificate of \"bob\" is for another private key"));
    std::string broken(text_of(alice.key_pem().reveal()));
    const std::string secret = broken.substr(40, 20);
    broken[50] = broken[50] == 'A' ? 'B' : 'A';
    broken.erase(60, 3);
    const Error error =
        error_of([&] { NetworkIdentity::from_pem(SecretBytes(bytes_of(broken)), alice.chain()); });
    EXPECT_THAT(error.message(), HasSubstr("not a private key"));
    EXPECT_THAT(error.message(), Not(HasSubstr(secret)));
    EXPECT_EQ(error_of([] {
                  NetworkIdentity::create("a", {.validity = {.duration = std::chrono::hours(0)}});
              }).code(),
              ErrorCode::kInvalid);
    EXPECT_EQ(error_of([] { NetworkIdentity::create("a", {.hosts = {"DNS:b,email:x"}}); }).code(),
              ErrorCode::kInvalid);
}

TEST(CertificateAuthority, IssuesWhatWasGrantedOnly) {
    const auto ca = CertificateAuthority::create("consortium");
    EXPECT_TRUE(ca.certificate().is_authority());
    auto alice = NetworkIdentity::create("alice", {.hosts = {"alice.example"}});
    const Certificate request = alice.certificate();
    EXPECT_THAT(error_of([&] { ca.issue(request, {.name = "alice"}); }).message(),
                HasSubstr("also asks for the host \"alice.example\""));
    EXPECT_EQ(error_of([&] { ca.issue(request, {.name = "bob"}); }).code(), ErrorCode::kRefused);
    const Certificate issued = ca.issue(request, {.name = "alice", .hosts = {"alice.example"}});
    EXPECT_EQ(issued.issuer_name(), "consortium");
    EXPECT_EQ(issued.pin(), alice.pin());
    EXPECT_FALSE(issued.is_authority());
    alice.set_certificates({issued});
    EXPECT_EQ(alice.certificate(), issued);
    // An issued certificate is no request: its signature is not by its own key.
    EXPECT_THAT(error_of([&] {
                    ca.issue(issued, {.name = "alice", .hosts = {"alice.example"}});
                }).message(),
                HasSubstr("is not signed by its own key"));
    EXPECT_EQ(error_of([&] { ca.issue(ca.certificate(), {.name = "consortium"}); }).code(),
              ErrorCode::kInvalid);
    EXPECT_EQ(error_of([&] {
                  CertificateAuthority::from_identity(NetworkIdentity::create("bob"));
              }).code(),
              ErrorCode::kInvalid);
}

class KeyDirectoryTest : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ = std::filesystem::path(::testing::TempDir()) /
                  ("ward_key_directory_test_" + std::to_string(::getpid()));
        std::filesystem::remove_all(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path folder_;
};

TEST_F(KeyDirectoryTest, IsForItsOwnerOnly) {
    const std::string path = folder_ / "sub" / "keys";
    const KeyDirectory directory(path);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    directory.save(NetworkIdentity::create("alice"));
    ASSERT_EQ(::stat(directory.key_path("alice").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    ::chmod(path.c_str(), 0750);
    const Error error = error_of([&] { KeyDirectory{path}; });
    EXPECT_EQ(error.code(), ErrorCode::kRefused);
    EXPECT_THAT(error.message(), HasSubstr("has mode 0750"));
    ::chmod(path.c_str(), 0700);
    ::chmod(directory.key_path("alice").c_str(), 0644);
    EXPECT_EQ(error_of([&] { directory.load("alice"); }).code(), ErrorCode::kRefused);
    EXPECT_EQ(error_of([&] { directory.load("../alice"); }).code(), ErrorCode::kInvalid);
}

TEST_F(KeyDirectoryTest, KeepsIdentities) {
    const KeyDirectory directory(folder_);
    const auto alice = NetworkIdentity::create("alice");
    directory.save(alice);
    EXPECT_EQ(directory.load("alice").pin(), alice.pin());
    EXPECT_THAT(error_of([&] { directory.save(NetworkIdentity::create("alice")); }).message(),
                HasSubstr("File exists"));
    EXPECT_EQ(directory.load("alice").pin(), alice.pin());
    EXPECT_EQ(error_of([&] { directory.load("bob"); }).code(), ErrorCode::kNotFound);
    const auto ca = CertificateAuthority::create("ca");
    const Certificate issued = ca.issue(alice.certificate(), {.name = "alice"});
    directory.save_certificates("alice", {issued});
    EXPECT_EQ(directory.load("alice").certificate(), issued);
    const auto bob = NetworkIdentity::create("bob");
    EXPECT_THAT(error_of([&] { directory.save_certificates("alice", bob.chain()); }).message(),
                HasSubstr(", expected " + alice.pin()));
    EXPECT_THAT(directory.names(), ElementsAre("alice"));
}

TEST_F(KeyDirectoryTest, KeysUnderAPassphraseAskForIt) {
    const KeyDirectory directory(folder_);
    const auto alice = NetworkIdentity::create("alice");
    directory.save(alice);
    const auto passphrase = [] { return SecretBytes(bytes_of("pass")); };
    std::filesystem::remove(directory.key_path("alice"));
    write_secret_file(directory.key_path("alice"),
                      encrypt_secret(alice.key_pem().reveal(), passphrase(), 4).reveal());
    EXPECT_EQ(directory.load("alice", passphrase).pin(), alice.pin());
    EXPECT_THAT(error_of([&] {
                    directory.load("alice", [] { return SecretBytes(bytes_of("no")); });
                }).message(),
                HasSubstr("the passphrase is not that of this file"));
}

TEST_F(KeyDirectoryTest, CertificateFilesAreReadWhole) {
    const KeyDirectory directory(folder_);
    const Certificate a = NetworkIdentity::create("a").certificate();
    const Certificate b = NetworkIdentity::create("b").certificate();
    const std::string path = folder_ / "both.pem";
    write_file_atomically(path, "Subject: a\n" + a.pem() + b.pem());
    EXPECT_THAT(load_certificates(path), ElementsAre(a, b));
    std::string cut = a.pem() + b.pem();
    cut.erase(a.pem().size() + 100, 5);
    write_file_atomically(path, cut);
    EXPECT_THAT(error_of([&] { load_certificates(path); }).message(),
                HasSubstr("certificate 2 is malformed"));
    write_file_atomically(path, "nothing");
    EXPECT_THAT(error_of([&] { load_certificates(path); }).message(),
                HasSubstr("holds no certificate"));
}

}  // namespace
}  // namespace ward::crypto
