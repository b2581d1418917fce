#include "ward/crypto/age.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/crypto/internal/encoding.h"

namespace ward::crypto {
namespace {

using ::testing::HasSubstr;

constexpr size_t kChunk = 65536;
constexpr size_t kSealedChunk = kChunk + 16;

Bytes random_bytes(size_t size, uint64_t seed = 1) {
    Bytes out(size);
    testonly::seeded_random(seed).fill(out);
    return out;
}

AgeRecipients recipients_of(const std::vector<AgeIdentity>& identities) {
    AgeRecipients out;
    for (const AgeIdentity& identity : identities) out.recipients.push_back(identity.recipient());
    return out;
}

AgeKeys keys_of(const AgeIdentity& identity) {
    AgeKeys keys;
    keys.identities.push_back(AgeIdentity::parse(internal::text_of(identity.text().reveal())));
    return keys;
}

AgeRecipients quick_passphrase(std::string_view text) {
    AgeRecipients out;
    out.passphrase = SecretBytes(internal::bytes_of(text));
    out.scrypt_log2_n = 4;
    return out;
}

AgeKeys passphrase_keys(std::string text) {
    AgeKeys keys;
    keys.passphrase = [text] { return SecretBytes(internal::bytes_of(text)); };
    return keys;
}

Bytes encrypt(ByteView plaintext, const AgeRecipients& recipients, bool armor = false) {
    MemorySource in(plaintext);
    MemorySink out;
    age_encrypt(in, out, recipients, armor);
    return out.take();
}

Bytes decrypt(ByteView file, const AgeKeys& keys) {
    MemorySource in(file);
    MemorySink out;
    age_decrypt(in, out, keys);
    return out.take();
}

struct Failure {
    std::string message;
    ErrorCode code = ErrorCode::kInternal;
    Bytes released;
};

// Into a sink with places, where threads work on their own parts of the file.
std::string placed_failure(ByteView file, const AgeKeys& keys) {
    MemorySource in(file);
    SecretSink out(file.size());
    try {
        age_decrypt(in, out, keys);
    } catch (const Error& error) {
        EXPECT_TRUE(out.bytes().empty()) << "counted as written";
        return error.message();
    }
    return "decryption succeeded";
}

Failure decryption_failure(ByteView file, const AgeKeys& keys) {
    MemorySource in(file);
    MemorySink out;
    try {
        age_decrypt(in, out, keys);
    } catch (const Error& error) {
        EXPECT_EQ(placed_failure(file, keys), error.message());
        return {error.message(), error.code(), out.take()};
    }
    ADD_FAILURE() << "decryption succeeded";
    return {};
}

// Through files, so that both ends have places.
Bytes through_files(ByteView plaintext, const AgeRecipients& recipients, const AgeKeys& keys) {
    const std::string name = ::testing::TempDir() + "ward_age_test_" + std::to_string(::getpid());
    write_file_atomically(name + ".plain", plaintext);
    {
        FileSource in(name + ".plain");
        FileSink out(name + ".age");
        age_encrypt(in, out, recipients);
        out.commit();
    }
    {
        FileSource in(name + ".age");
        FileSink out(name + ".back");
        age_decrypt(in, out, keys);
        out.commit();
    }
    Bytes back = read_file(name + ".back");
    for (const char* ending : {".plain", ".age", ".back"}) ::unlink((name + ending).c_str());
    return back;
}

size_t header_bytes(const Bytes& file) {
    const std::string_view text = internal::text_of(file);
    return text.find('\n', text.find("\n---") + 1) + 1;
}

bool is_prefix(const Bytes& prefix, const Bytes& of) {
    return prefix.size() <= of.size() && std::equal(prefix.begin(), prefix.end(), of.begin());
}

// Every size where the number of chunks or of batches (8 or 32 chunks) changes.
std::vector<size_t> border_sizes() {
    std::vector<size_t> sizes = {0, 1, 47, 48, 49};
    for (const size_t chunks : {1, 2, 7, 8, 9, 16, 31, 32, 33, 64}) {
        for (const int delta : {-1, 0, 1}) {
            sizes.push_back(chunks * kChunk + static_cast<size_t>(delta));
        }
    }
    return sizes;
}

TEST(Age, RoundTripsAtEveryBorder) {
    const AgeIdentity identity = AgeIdentity::generate();
    AgeRecipients recipients;
    recipients.recipients.push_back(identity.recipient());
    for (const size_t size : border_sizes()) {
        const Bytes plaintext = random_bytes(size);
        const Bytes file = encrypt(plaintext, recipients);
        const size_t chunks = std::max<size_t>(1, (size + kChunk - 1) / kChunk);
        EXPECT_EQ(file.size(), header_bytes(file) + 16 + size + 16 * chunks) << size;
        EXPECT_EQ(decrypt(file, keys_of(identity)), plaintext) << size;
        EXPECT_EQ(through_files(plaintext, recipients, keys_of(identity)), plaintext) << size;
        MemorySource in(file);
        SecretSink out(size);  // exactly
        age_decrypt(in, out, keys_of(identity));
        EXPECT_TRUE(std::ranges::equal(out.bytes(), plaintext)) << size;
    }
}

TEST(Age, ArmorRoundTripsWithLinesOf64Columns) {
    const AgeIdentity identity = AgeIdentity::generate();
    AgeRecipients recipients;
    recipients.recipients.push_back(identity.recipient());
    for (const size_t size : {size_t{0}, size_t{1}, size_t{24}, size_t{48}, kChunk, 3 * kChunk}) {
        const Bytes plaintext = random_bytes(size);
        const Bytes file = encrypt(plaintext, recipients, true);
        EXPECT_TRUE(looks_like_age(file));
        EXPECT_EQ(internal::text_of(file).find('\n', 35) - 35, 64u) << "the first base64 line";
        EXPECT_EQ(decrypt(file, keys_of(identity)), plaintext) << size;
        EXPECT_EQ(through_files(plaintext, recipients, keys_of(identity)), plaintext) << size;
        MemorySource in(file);
        SecretSink out(size);  // exactly
        age_decrypt(in, out, keys_of(identity));
        EXPECT_TRUE(std::ranges::equal(out.bytes(), plaintext)) << size;
    }
}

TEST(Age, EachOfSeveralRecipientsOpensAndAnotherDoesNot) {
    std::vector<AgeIdentity> identities;
    for (int i = 0; i < 5; ++i) identities.push_back(AgeIdentity::generate());
    const Bytes plaintext = random_bytes(1000);
    const Bytes file = encrypt(plaintext, recipients_of(identities));
    for (const AgeIdentity& identity : identities) {
        EXPECT_EQ(decrypt(file, keys_of(identity)), plaintext);
    }
    const Failure failure = decryption_failure(file, keys_of(AgeIdentity::generate()));
    EXPECT_EQ(failure.code, ErrorCode::kInvalid);
    EXPECT_THAT(failure.message, HasSubstr("none of the identities given (1) opens this file, "
                                           "which has 5 recipient(s) of type X25519"));
    EXPECT_TRUE(failure.released.empty());
}

TEST(Age, PassphraseOpensAndAWrongOneIsNamed) {
    const Bytes plaintext = random_bytes(100);
    const Bytes file = encrypt(plaintext, quick_passphrase("correct horse"));
    EXPECT_EQ(decrypt(file, passphrase_keys("correct horse")), plaintext);
    EXPECT_EQ(decryption_failure(file, passphrase_keys("wrong")).message,
              "the passphrase is not that of this file");
    EXPECT_EQ(decryption_failure(file, keys_of(AgeIdentity::generate())).message,
              "this file is encrypted with a passphrase, and none was given");
}

TEST(Age, NobodyOrBothKindsOfRecipientsAreRefused) {
    EXPECT_THROW(encrypt({}, {}), Error);
    AgeRecipients both = quick_passphrase("x");
    both.recipients.push_back(AgeIdentity::generate().recipient());
    EXPECT_THROW(encrypt({}, both), Error);
}

TEST(Age, RewrapOfFilesCopiesThePayload) {
    const AgeIdentity before = AgeIdentity::generate();
    const AgeIdentity after = AgeIdentity::generate();
    const std::string name =
        ::testing::TempDir() + "ward_rewrap_test_" + std::to_string(::getpid());
    for (const size_t size : {size_t{0}, size_t{10}, size_t{3'000'000}}) {
        const Bytes plaintext = random_bytes(size);
        AgeRecipients first;
        first.recipients.push_back(before.recipient());
        AgeRecipients second;
        second.recipients = {after.recipient(), before.recipient()};
        write_file_atomically(name, encrypt(plaintext, first));
        FileSource in(name);
        FileSink out(name + ".new");
        age_rewrap(in, out, keys_of(before), second);
        out.commit();
        EXPECT_EQ(decrypt(read_file(name + ".new"), keys_of(after)), plaintext) << size;
        ::unlink(name.c_str());
        ::unlink((name + ".new").c_str());
    }
}

TEST(Age, RewrapChangesWhoOpensButNotThePayload) {
    const AgeIdentity before = AgeIdentity::generate();
    const AgeIdentity after = AgeIdentity::generate();
    AgeRecipients first;
    first.recipients.push_back(before.recipient());
    AgeRecipients second;
    second.recipients.push_back(after.recipient());
    const Bytes plaintext = random_bytes(3 * kChunk + 5);
    for (const bool armor : {false, true}) {
        const Bytes file = encrypt(plaintext, first, armor);
        MemorySource in(file);
        MemorySink out;
        age_rewrap(in, out, keys_of(before), second);
        const Bytes rewrapped = out.take();
        EXPECT_EQ(decrypt(rewrapped, keys_of(after)), plaintext);
        EXPECT_THROW(decrypt(rewrapped, keys_of(before)), Error);
        if (armor) continue;
        EXPECT_TRUE(std::equal(file.begin() + static_cast<long>(header_bytes(file)), file.end(),
                               rewrapped.begin() + static_cast<long>(header_bytes(rewrapped)),
                               rewrapped.end()));
    }
    const Bytes file = encrypt(plaintext, first);
    MemorySource in(file);
    MemorySink out;
    EXPECT_THROW(age_rewrap(in, out, keys_of(after), second), Error);
    EXPECT_TRUE(out.bytes().empty()) << "nothing is written before the header has been opened";
}

TEST(Age, TruncationIsFoundAtEveryChunkBorderAndBeside) {
    const AgeIdentity identity = AgeIdentity::generate();
    AgeRecipients recipients;
    recipients.recipients.push_back(identity.recipient());
    const Bytes plaintext = random_bytes(34 * kChunk + 100);
    const Bytes file = encrypt(plaintext, recipients);
    const size_t payload = header_bytes(file) + 16;
    for (size_t chunk = 0; chunk <= 34; chunk += chunk == 2 ? 29 : 1) {
        for (const int delta : {-1, 0, 1, 15, 16, 17}) {
            const size_t size = payload + chunk * kSealedChunk + static_cast<size_t>(delta);
            const Failure failure =
                decryption_failure(ByteView(file).first(size), keys_of(identity));
            EXPECT_EQ(failure.code, ErrorCode::kCorrupt);
            EXPECT_THAT(failure.message, HasSubstr("truncated")) << chunk << " " << delta;
            EXPECT_TRUE(is_prefix(failure.released, plaintext));
        }
    }
}

TEST(Age, SwappedAndRepeatedChunksAreFound) {
    const AgeIdentity identity = AgeIdentity::generate();
    AgeRecipients recipients;
    recipients.recipients.push_back(identity.recipient());
    const Bytes plaintext = random_bytes(4 * kChunk);
    const Bytes file = encrypt(plaintext, recipients);
    const auto chunk = [&](Bytes& of, size_t i) {
        return of.begin() + static_cast<long>(header_bytes(file) + 16 + i * kSealedChunk);
    };
    Bytes swapped = file;
    std::swap_ranges(chunk(swapped, 1), chunk(swapped, 2), chunk(swapped, 2));
    Failure failure = decryption_failure(swapped, keys_of(identity));
    EXPECT_EQ(failure.message, "age payload: chunk 1 does not authenticate: the file was changed");
    EXPECT_EQ(failure.released.size(), kChunk);
    Bytes repeated = file;
    std::copy(chunk(repeated, 0), chunk(repeated, 1), chunk(repeated, 1));
    failure = decryption_failure(repeated, keys_of(identity));
    EXPECT_EQ(failure.message, "age payload: chunk 1 does not authenticate: the file was changed");
}

// Flips single bits at random places of a file of one chunk; nothing may come out.
void expect_flips_found(Bytes file, const AgeKeys& keys, int count) {
    Random random = testonly::seeded_random(7);
    for (int i = 0; i < count; ++i) {
        const size_t place = random.below(file.size());
        const auto mask = static_cast<uint8_t>(1u << random.below(8));
        file[place] ^= mask;
        const Failure failure = decryption_failure(file, keys);
        ASSERT_TRUE(failure.released.empty()) << place << " " << int{mask};
        ASSERT_FALSE(failure.message.empty()) << place << " " << int{mask};
        file[place] ^= mask;
    }
    decrypt(file, keys);
}

TEST(Age, BitFlipsAtTenThousandPlacesAreFound) {
    const Bytes plaintext = random_bytes(300);
    AgeRecipients cheap = quick_passphrase("x");
    cheap.scrypt_log2_n = 1;
    expect_flips_found(encrypt(plaintext, cheap), passphrase_keys("x"), 9000);
    const AgeIdentity identity = AgeIdentity::generate();
    AgeRecipients recipients;
    recipients.recipients.push_back(identity.recipient());
    expect_flips_found(encrypt(plaintext, recipients), keys_of(identity), 1000);
}

TEST(Age, BitFlipsInALongFileReleaseOnlyWhatCameBefore) {
    const AgeIdentity identity = AgeIdentity::generate();
    const AgeKeys keys = keys_of(identity);
    AgeRecipients recipients;
    recipients.recipients.push_back(identity.recipient());
    const Bytes plaintext = random_bytes(3 * kChunk + 77);
    Bytes file = encrypt(plaintext, recipients);
    const size_t payload = header_bytes(file) + 16;
    Random random = testonly::seeded_random(8);
    for (int i = 0; i < 200; ++i) {
        const size_t place = payload + random.below(file.size() - payload);
        file[place] ^= 1;
        const Failure failure = decryption_failure(file, keys);
        EXPECT_EQ(failure.released.size(), (place - payload) / kSealedChunk * kChunk);
        EXPECT_TRUE(is_prefix(failure.released, plaintext));
        file[place] ^= 1;
    }
}

TEST(AgeKeys, TextsRoundTripAndBadOnesAreRefused) {
    const AgeIdentity identity = AgeIdentity::generate();
    const SecretBytes secret = identity.text();
    const std::string text(internal::text_of(secret.reveal()));
    EXPECT_THAT(text, ::testing::MatchesRegex("AGE-SECRET-KEY-1[A-Z0-9]+"));
    EXPECT_EQ(text.size(), 74u);
    EXPECT_EQ(AgeIdentity::parse(text).recipient(), identity.recipient());
    const std::string recipient = identity.recipient().text();
    EXPECT_EQ(recipient.size(), 62u);
    EXPECT_EQ(AgeRecipient::parse(recipient), identity.recipient());
    for (size_t i = 0; i < text.size(); ++i) {
        std::string wrong = text;
        wrong[i] = wrong[i] == 'Q' ? 'P' : 'Q';
        EXPECT_THROW(AgeIdentity::parse(wrong), Error) << i;
        wrong = text;
        wrong[i] = static_cast<char>(wrong[i] | 0x20);
        if (wrong != text) {
            EXPECT_THROW(AgeIdentity::parse(wrong), Error) << "mixed case at " << i;
        }
    }
    EXPECT_THROW(AgeIdentity::parse(recipient), Error);
    EXPECT_THROW(AgeRecipient::parse(text), Error);
    EXPECT_THROW(AgeRecipient::parse(""), Error);
    EXPECT_THROW(AgeRecipient::parse("ssh-ed25519 AAAA"), Error);
    EXPECT_THROW(AgeRecipient::parse(recipient.substr(0, 61)), Error);
}

TEST(AgeKeys, ErrorsNeverRepeatASecret) {
    const AgeIdentity identity = AgeIdentity::generate();
    std::string text(internal::text_of(identity.text().reveal()));
    text.back() = text.back() == 'Q' ? 'P' : 'Q';
    try {
        AgeIdentity::parse(text);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.message() + error.hint(), ::testing::Not(HasSubstr(text.substr(20, 20))));
    }
}

TEST(AgeKeys, LowOrderRecipientsAreRefused) {
    AgeRecipients recipients;
    recipients.recipients.emplace_back(std::array<uint8_t, 32>{});
    EXPECT_THROW(encrypt({}, recipients), Error);
}

}  // namespace
}  // namespace ward::crypto
