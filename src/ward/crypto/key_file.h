// Key files on disk: age identities and recipients, minisign keys.
//
// An identity file has one AGE-SECRET-KEY-1... line for each key, with comments (#) and empty lines
// between, as age-keygen writes it; it may itself be an age file under a passphrase. Secret files
// are created with mode 0600 and never over another file. A secret file that group or others may
// read or write is refused, as ssh does.
//
// Errors name the file and the line and never repeat a secret. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/crypto/age.h"
#include "ward/crypto/signature.h"

namespace ward::crypto {

using PassphraseSource = std::function<SecretBytes()>;

// Throws Error kRefused when the mode of the file lets group or others in.
void check_secret_file_mode(const std::string& path);

// Throws Error kIo when the file exists already or cannot be written; then nothing is left behind.
void write_secret_file(const std::string& path, ByteView content);

// The content of a secret file of at most 1 MiB, decrypted if it is an age file under a passphrase.
SecretBytes load_secret_file(const std::string& path, const PassphraseSource& passphrase);
// The age file (armored) that such a file holds then.
SecretBytes encrypt_secret(ByteView content, const SecretBytes& passphrase, int scrypt_log2_n = 18);

// The text of an identity file: comments with the date and the recipient, and the key.
SecretBytes identity_file_text(const AgeIdentity& identity, const std::string& created_utc);

// `passphrase` is asked when the file is encrypted. Throws Error kInvalid for a file without keys.
std::vector<AgeIdentity> load_identities(const std::string& path,
                                         const PassphraseSource& passphrase);

// A text file of age1... lines with comments; no secret, so any mode goes.
std::vector<AgeRecipient> load_recipients(const std::string& path);

SigningKey load_signing_key(const std::string& path, const PassphraseSource& passphrase);
VerificationKey load_verification_key(const std::string& path);

}  // namespace ward::crypto
