#include "ward/crypto/release.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/internal/encoding.h"

namespace ward::crypto {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDigestDigits = 64;
constexpr std::string_view kSeparator = "  ";
constexpr size_t kMaxManifestBytes = size_t{256} << 20;

bool plain_name(const std::string& name) {
    return std::none_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\';
    });
}

// Paths relative to the folder, sorted.
std::vector<std::string> list_files(const std::string& folder) {
    std::vector<std::string> paths;
    std::error_code problem;
    auto it = fs::recursive_directory_iterator(folder, problem);
    if (problem) {
        throw Error(ErrorCode::kIo, "cannot list " + folder + ": " + problem.message());
    }
    for (; it != fs::recursive_directory_iterator(); it.increment(problem)) {
        const std::string path = it->path().lexically_relative(folder).generic_string();
        const fs::file_status status = it->symlink_status();
        if (fs::is_directory(status)) continue;
        if (!fs::is_regular_file(status)) {
            throw Error(ErrorCode::kInvalid,
                        "cannot sign " + path + ": a link or device, expected a plain file");
        }
        if (!plain_name(path)) {
            throw Error(ErrorCode::kInvalid,
                        "cannot sign a file whose name has control "
                        "characters or a backslash, in " +
                            folder);
        }
        if (path != kReleaseManifestName && path != kReleaseSignatureName) paths.push_back(path);
    }
    if (problem) {
        throw Error(ErrorCode::kIo, "cannot list " + folder + ": " + problem.message());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::map<std::string, std::string> parse_manifest(std::string_view text) {
    std::map<std::string, std::string> digests;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        const size_t path_at = kDigestDigits + kSeparator.size();
        const bool good = end != text.npos && line.size() > path_at &&
                          line.substr(kDigestDigits, kSeparator.size()) == kSeparator &&
                          internal::decode_hex(line.substr(0, kDigestDigits));
        if (!good || !digests.emplace(line.substr(path_at), line.substr(0, kDigestDigits)).second) {
            throw Error(ErrorCode::kCorrupt, std::string(kReleaseManifestName) + ", line " +
                                                 std::to_string(digests.size() + 1) +
                                                 ": malformed, or a path for the second time");
        }
        text.remove_prefix(end + 1);
    }
    return digests;
}

std::string manifest_path(const std::string& folder) {
    return (fs::path(folder) / kReleaseManifestName).string();
}
std::string signature_path(const std::string& folder) {
    return (fs::path(folder) / kReleaseSignatureName).string();
}

void check_files(const std::string& folder, std::map<std::string, std::string> expected) {
    for (const std::string& path : list_files(folder)) {
        const auto found = expected.find(path);
        if (found == expected.end()) {
            throw Error(ErrorCode::kCorrupt, path + " was added after signing");
        }
        if (sha256_file((fs::path(folder) / path).string()) != found->second) {
            throw Error(ErrorCode::kCorrupt, path + " was changed after signing");
        }
        expected.erase(found);
    }
    if (!expected.empty()) {
        throw Error(ErrorCode::kCorrupt, expected.begin()->first + " is missing");
    }
}

}  // namespace

std::string release_manifest(const std::string& folder) {
    std::string text;
    for (const std::string& path : list_files(folder)) {
        text += sha256_file((fs::path(folder) / path).string());
        text += kSeparator;
        text += path + "\n";
    }
    return text;
}

void sign_release(const std::string& folder, const SigningKey& key,
                  const std::string& trusted_comment) {
    const std::string manifest = release_manifest(folder);
    MemorySource source(internal::bytes_of(manifest));
    const std::string signature = sign(source, key, {.trusted = trusted_comment});
    write_file_atomically(manifest_path(folder), manifest);
    write_file_atomically(signature_path(folder), signature);
}

VerifiedRelease verify_release(const std::string& folder,
                               std::span<const VerificationKey> trusted) {
    const std::string manifest = read_text_file(manifest_path(folder), kMaxManifestBytes);
    const std::string signature = read_text_file(signature_path(folder), size_t{1} << 16);
    MemorySource source(internal::bytes_of(manifest));
    VerifiedRelease out;
    out.signature = verify(source, signature, trusted);
    const auto expected = parse_manifest(manifest);
    check_files(folder, expected);
    out.files = expected.size();
    return out;
}

}  // namespace ward::crypto
