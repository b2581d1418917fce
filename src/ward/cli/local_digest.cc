#include "ward/cli/internal/local_digest.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "ward/core/bytes.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"
#include "ward/core/random.h"
#include "ward/crypto/kdf.h"

namespace ward::cli {
namespace {

constexpr size_t kKeyBytes = 32;

std::filesystem::path state_folder() {
    if (const char* folder = std::getenv("WARD_STATE_DIR")) return folder;
    if (const char* folder = std::getenv("XDG_STATE_HOME"))
        return std::filesystem::path(folder) / "ward";
    const char* home = std::getenv("HOME");
    return std::filesystem::path(home == nullptr ? "/nonexistent" : home) / ".local/state/ward";
}

// Writes a new key for this user alone; false when one is there already or none can be kept.
bool write_new_key(const std::filesystem::path& path) {
    std::error_code ignored;
    std::filesystem::create_directories(path.parent_path(), ignored);
    SecretBytes key(kKeyBytes);
    Random::from_system().fill(key.reveal_mutable());
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) return false;
    const bool whole = ::write(descriptor, key.reveal().data(), kKeyBytes) == ssize_t{kKeyBytes};
    ::close(descriptor);
    if (!whole) ::unlink(path.c_str());
    return whole;
}

std::optional<SecretBytes> stored_key() {
    const std::filesystem::path path = state_folder() / "digest.key";
    for (int attempt = 0; attempt < 2; ++attempt) {
        try {
            const Bytes bytes = read_file(path, kKeyBytes);
            if (bytes.size() == kKeyBytes) return SecretBytes(ByteView(bytes));
            return std::nullopt;
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kNotFound) return std::nullopt;
        }
        if (!write_new_key(path)) break;
    }
    return std::nullopt;
}

std::string hex(ByteView bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (uint8_t byte : bytes) text += {kDigits[byte >> 4], kDigits[byte & 15]};
    return text;
}

}  // namespace

std::string local_digest(const std::string& digest) {
    std::optional<SecretBytes> key = stored_key();
    if (!key) {
        log_warning("cannot keep a key in " + state_folder().string() +
                    "; the data digest of this run will match no other run (set WARD_STATE_DIR)");
        key.emplace(kKeyBytes);
        Random::from_system().fill(key->reveal_mutable());
    }
    const ByteView message(reinterpret_cast<const uint8_t*>(digest.data()), digest.size());
    return hex(crypto::hmac(crypto::Hash::kSha256, key->reveal(), message));
}

bool keeps_local_key() { return stored_key().has_value(); }

}  // namespace ward::cli
