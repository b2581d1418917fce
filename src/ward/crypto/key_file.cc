#include "ward/crypto/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/key_lines.h"

namespace ward::crypto {
namespace {

using internal::text_of;

constexpr size_t kMaxKeyFileBytes = size_t{1} << 20;

SecretBytes read_secret_file(const std::string& path) {
    check_secret_file_mode(path);
    FileSource source(path);
    SecretBytes bytes(kMaxKeyFileBytes + 1);
    const size_t size = source.read(bytes.reveal_mutable());
    if (size > kMaxKeyFileBytes) {
        throw Error(ErrorCode::kInvalid, path + " is larger than 1 MiB, expected a key file");
    }
    return SecretBytes(bytes.reveal().first(size));
}

SecretBytes open_encrypted_file(ByteView file, const std::string& path,
                                const PassphraseSource& passphrase) {
    AgeKeys keys;
    keys.passphrase = passphrase;
    MemorySource source(file);
    SecretSink plain(file.size());  // an age file is longer than its content
    try {
        age_decrypt(source, plain, keys);
    } catch (const Error& error) {
        throw Error(error.code(), path + ": " + error.message(), error.hint());
    }
    return SecretBytes(plain.bytes());
}

}  // namespace

void check_secret_file_mode(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        throw Error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                    "cannot open " + path + ": " + std::strerror(errno));
    }
    if (!S_ISREG(status.st_mode) || (status.st_mode & 077) == 0) return;
    char mode[8];
    std::snprintf(mode, sizeof(mode), "%04o", static_cast<unsigned>(status.st_mode & 07777));
    throw Error(ErrorCode::kRefused,
                path + " has mode " + mode + ": a secret key must be for its owner only",
                "chmod 600 " + path);
}

void write_secret_file(const std::string& path, ByteView content) {
    const int descriptor =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) {
        const int reason = errno;
        throw Error(ErrorCode::kIo, "cannot create " + path + ": " + std::strerror(reason),
                    reason == EEXIST ? "move the old key away first; keys are never overwritten"
                                     : "check the folder and its permissions");
    }
    int problem = 0;
    for (size_t done = 0; done < content.size() && problem == 0;) {
        const ssize_t put = ::write(descriptor, content.data() + done, content.size() - done);
        if (put >= 0) done += static_cast<size_t>(put);
        if (put < 0 && errno != EINTR) problem = errno;
    }
    if (problem == 0 && ::fsync(descriptor) != 0) problem = errno;
    ::close(descriptor);
    if (problem == 0) return;
    ::unlink(path.c_str());
    throw Error(ErrorCode::kIo, "cannot write " + path + ": " + std::strerror(problem));
}

SecretBytes identity_file_text(const AgeIdentity& identity, const std::string& created_utc) {
    const std::string head =
        "# created: " + created_utc + "\n# public key: " + identity.recipient().text() + "\n";
    const SecretBytes key = identity.text();
    SecretBytes out(head.size() + key.size() + 1);
    uint8_t* next = std::copy(head.begin(), head.end(), out.reveal_mutable().data());
    next = std::copy(key.reveal().begin(), key.reveal().end(), next);
    *next = '\n';
    return out;
}

SecretBytes load_secret_file(const std::string& path, const PassphraseSource& passphrase) {
    SecretBytes content = read_secret_file(path);
    if (!looks_like_age(content.reveal())) return content;
    return open_encrypted_file(content.reveal(), path, passphrase);
}

SecretBytes encrypt_secret(ByteView content, const SecretBytes& passphrase, int scrypt_log2_n) {
    AgeRecipients recipients;
    recipients.passphrase = passphrase.clone();
    recipients.scrypt_log2_n = scrypt_log2_n;
    MemorySource in(content);
    MemorySink out;
    age_encrypt(in, out, recipients, true);
    return SecretBytes(out.bytes());
}

std::vector<AgeIdentity> load_identities(const std::string& path,
                                         const PassphraseSource& passphrase) {
    const SecretBytes content = load_secret_file(path, passphrase);
    std::vector<AgeIdentity> identities;
    internal::for_each_key_line(text_of(content.reveal()), path, [&](std::string_view line) {
        identities.push_back(AgeIdentity::parse(line));
    });
    if (identities.empty()) {
        throw Error(ErrorCode::kInvalid, path + " holds no AGE-SECRET-KEY-1... line");
    }
    return identities;
}

std::vector<AgeRecipient> load_recipients(const std::string& path) {
    std::vector<AgeRecipient> recipients;
    const std::string text = read_text_file(path, kMaxKeyFileBytes);
    internal::for_each_key_line(text, path, [&](std::string_view line) {
        recipients.push_back(AgeRecipient::parse(line));
    });
    if (recipients.empty()) {
        throw Error(ErrorCode::kInvalid, path + " holds no age1... line");
    }
    return recipients;
}

SigningKey load_signing_key(const std::string& path, const PassphraseSource& passphrase) {
    const SecretBytes content = read_secret_file(path);
    try {
        return SigningKey::parse(text_of(content.reveal()), passphrase);
    } catch (const Error& error) {
        throw Error(error.code(), path + ": " + error.message(), error.hint());
    }
}

VerificationKey load_verification_key(const std::string& path) {
    try {
        return VerificationKey::parse(read_text_file(path, kMaxKeyFileBytes));
    } catch (const Error& error) {
        throw Error(error.code(), path + ": " + error.message(), error.hint());
    }
}

}  // namespace ward::crypto
