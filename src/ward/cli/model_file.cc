#include "ward/cli/internal/model_file.h"

#include <algorithm>

#include "ward/core/error.h"
#include "ward/crypto/age.h"
#include "ward/crypto/sealed_container.h"

namespace ward::cli {
namespace {

constexpr size_t kFirstBytes = 64;

enum class Kind { kPlain, kAge, kContainer };

Kind kind_of(ByteView file) {
    const ByteView first = file.first(std::min(file.size(), kFirstBytes));
    if (crypto::looks_like_age(first)) return Kind::kAge;
    return crypto::looks_like_sealed_container(first) ? Kind::kContainer : Kind::kPlain;
}

void decrypt_container(const std::string& path, const crypto::AgeKeys& keys,
                       std::optional<crypto::SecretSink>& out) {
    const crypto::SealedReader reader(path, keys);
    size_t size = reader.header().size();
    for (const crypto::SealedEntry& entry : reader.entries()) size += entry.size_bytes;
    out.emplace(size);
    out->write(reader.header());
    for (const crypto::SealedEntry& entry : reader.entries()) reader.read(entry, *out);
}

// An age file is longer than its content.
void decrypt_age(const std::string& path, const crypto::AgeKeys& keys,
                 std::optional<crypto::SecretSink>& out) {
    crypto::FileSource source(path);
    out.emplace(source.remaining().value_or(0));
    crypto::age_decrypt(source, *out, keys);
}

}  // namespace

ModelFile::ModelFile(const std::string& path, const IdentityOptions& identities) : mapped_(path) {
    const Kind kind = kind_of(mapped_->bytes());
    if (kind == Kind::kPlain) return;
    const crypto::AgeKeys keys = load_keys(identities);
    try {
        kind == Kind::kContainer ? decrypt_container(path, keys, decrypted_)
                                 : decrypt_age(path, keys, decrypted_);
    } catch (const Error& error) {
        std::string hint = error.hint();
        if (hint.empty() && identities.files.empty()) hint = "name your key file with --identity";
        throw Error(error.code(), path + ": " + error.message(), hint);
    }
    mapped_.reset();
}

model::Model load_model(const std::string& path, const IdentityOptions& identities) {
    return model::load_model(ModelFile(path, identities).bytes(), path);
}

}  // namespace ward::cli
