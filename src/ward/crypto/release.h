// Signing a whole folder: SHA256SUMS (the format of `sha256sum`) with one line for each file, and
// its minisign signature beside it. `minisign -V -m SHA256SUMS` and `sha256sum -c SHA256SUMS` check
// the same without Ward.
//
// The list is complete: verification fails on a file that was added, removed or changed. Links,
// devices and names with control characters or a backslash are refused. Threat: as signature.h; the
// folder must not change while it is read. Thread-safe for different folders.
#pragma once

#include <span>
#include <string>

#include "ward/crypto/signature.h"

namespace ward::crypto {

inline constexpr const char* kReleaseManifestName = "SHA256SUMS";
inline constexpr const char* kReleaseSignatureName = "SHA256SUMS.minisig";

// The manifest of a folder as it is: lines `<sha-256>  <path>`, sorted by path, without the
// manifest and its signature. Throws Error kInvalid or kIo.
std::string release_manifest(const std::string& folder);

// Writes both files into the folder.
void sign_release(const std::string& folder, const SigningKey& key,
                  const std::string& trusted_comment);

struct VerifiedRelease {
    VerifiedSignature signature;
    size_t files = 0;
};
// Throws Error as verify() does, and kCorrupt naming the first path that differs.
VerifiedRelease verify_release(const std::string& folder, std::span<const VerificationKey> trusted);

}  // namespace ward::crypto
