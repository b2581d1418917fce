#include "ward/crypto/internal/age_payload.h"

#include <algorithm>
#include <array>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/core/random.h"
#include "ward/crypto/internal/aead_cipher.h"
#include "ward/crypto/internal/age_header.h"
#include "ward/crypto/internal/pipeline.h"
#include "ward/crypto/kdf.h"

namespace ward::crypto::internal {
namespace {

constexpr size_t kChunkBytes = kStreamChunkBytes;
constexpr size_t kSealedChunkBytes = kChunkBytes + kAeadTagBytes;
constexpr size_t kPayloadNonceBytes = 16;

using ChunkNonce = std::array<uint8_t, 12>;

// 11 bytes of big-endian counter, 1 for the last chunk.
ChunkNonce chunk_nonce(uint64_t index, bool is_last) {
    ChunkNonce nonce{};
    for (size_t i = 0; i < 8; ++i) nonce[10 - i] = static_cast<uint8_t>(index >> (8 * i));
    nonce[11] = is_last ? 1 : 0;
    return nonce;
}

SecretBytes payload_key(const SecretBytes& file_key, ByteView nonce) {
    return hkdf(Hash::kSha256, file_key.reveal(), nonce, "payload", kAeadKeyBytes);
}

AeadCipher payload_cipher(const SecretBytes& key) {
    return AeadCipher(AeadCipher::Kind::kChaCha20Poly1305, key.reveal());
}

// Number of chunks of `unit` bytes; an empty file still has one.
size_t count_chunks(size_t size_bytes, size_t unit) {
    return std::max<size_t>(1, (size_bytes + unit - 1) / unit);
}

BatchResult seal_batch(const Batch& batch, const SecretBytes& key) {
    const size_t count = count_chunks(batch.in.size(), kChunkBytes);
    const uint64_t first = batch.offset / kChunkBytes;
    parallel_for(0, static_cast<int64_t>(count), 4, [&](int64_t begin, int64_t end) {
        AeadCipher cipher = payload_cipher(key);
        for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
            const size_t from = i * kChunkBytes;
            const ByteView in =
                batch.in.subspan(from, std::min(kChunkBytes, batch.in.size() - from));
            cipher.seal(chunk_nonce(first + i, batch.is_last && i + 1 == count), in, {},
                        batch.out.subspan(i * kSealedChunkBytes, in.size() + kAeadTagBytes));
        }
    });
    return {batch.in.size() + count * kAeadTagBytes, std::nullopt};
}

class BatchOpener {
  public:
    BatchOpener(const Batch& batch, const SecretBytes& key, const std::string& name)
        : batch_(batch),
          key_(key),
          name_(name),
          count_(count_chunks(batch.in.size(), kSealedChunkBytes)),
          first_(batch.offset / kSealedChunkBytes) {}

    BatchResult run() {
        std::vector<uint8_t> opened(count_, 0);
        parallel_for(0, static_cast<int64_t>(count_), 4, [&](int64_t begin, int64_t end) {
            AeadCipher cipher = payload_cipher(key_);
            for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
                opened[i] = open(cipher, i, is_last(i)) ? 1 : 0;
            }
        });
        const auto bad =
            static_cast<size_t>(std::find(opened.begin(), opened.end(), 0) - opened.begin());
        if (bad < count_) return explain(bad);
        const size_t last_bytes = sealed(count_ - 1).size() - kAeadTagBytes;
        if (batch_.is_last && last_bytes == 0 && first_ + count_ > 1) {
            return {(count_ - 1) * kChunkBytes, failure(count_ - 1, "is the last one and empty")};
        }
        return {(count_ - 1) * kChunkBytes + last_bytes, std::nullopt};
    }

  private:
    bool is_last(size_t i) const { return batch_.is_last && i + 1 == count_; }

    ByteView sealed(size_t i) const {
        const size_t from = i * kSealedChunkBytes;
        return batch_.in.subspan(from, std::min(kSealedChunkBytes, batch_.in.size() - from));
    }

    bool open(AeadCipher& cipher, size_t i, bool as_last) const {
        const ByteView in = sealed(i);
        if (in.size() < kAeadTagBytes) return false;
        return cipher.open(chunk_nonce(first_ + i, as_last), in, {},
                           batch_.out.subspan(i * kChunkBytes, in.size() - kAeadTagBytes));
    }

    // Chunk `bad` is the first that does not open in its place. A whole chunk that opens in the
    // other place (last or not) is authentic, and what is wrong is where the file ends.
    BatchResult explain(size_t bad) const {
        const size_t before = bad * kChunkBytes;
        const size_t size = sealed(bad).size();
        AeadCipher cipher = payload_cipher(key_);
        if (size == kSealedChunkBytes && open(cipher, bad, !is_last(bad))) {
            return {before + kChunkBytes,
                    is_last(bad) ? failure(bad,
                                           "is not the last one, but the file ends after it: "
                                           "it was truncated")
                                 : failure(bad, "is the last one, but more bytes follow")};
        }
        if (size < kAeadTagBytes) {
            return {before, failure(bad, "has " + std::to_string(size) +
                                             " bytes, fewer than its tag: the file was truncated")};
        }
        return {before, failure(bad, is_last(bad) && size < kSealedChunkBytes
                                         ? "does not authenticate: the file was changed or "
                                           "truncated"
                                         : "does not authenticate: the file was changed")};
    }

    Error failure(size_t i, const std::string& what) const {
        return Error(ErrorCode::kCorrupt,
                     name_ + ": chunk " + std::to_string(first_ + i) + " " + what);
    }

    const Batch& batch_;
    const SecretBytes& key_;
    const std::string& name_;
    size_t count_;
    uint64_t first_;
};

}  // namespace

void seal_stream(ByteSource& in, ByteSink& out, const SecretBytes& key) {
    run_pipeline(in, out, {kChunkBytes, kSealedChunkBytes},
                 [&](const Batch& batch) { return seal_batch(batch, key); });
}

void open_stream(ByteSource& in, ByteSink& out, const SecretBytes& key, const std::string& name) {
    run_pipeline(in, out, {kSealedChunkBytes, kChunkBytes},
                 [&](const Batch& batch) { return BatchOpener(batch, key, name).run(); });
}

uint64_t sealed_stream_bytes(uint64_t plaintext_bytes) {
    const uint64_t chunks =
        std::max<uint64_t>(1, (plaintext_bytes + kChunkBytes - 1) / kChunkBytes);
    return plaintext_bytes + chunks * kAeadTagBytes;
}

void encrypt_age_payload(ByteSource& in, ByteSink& out, const SecretBytes& file_key) {
    std::array<uint8_t, kPayloadNonceBytes> nonce{};
    Random::from_system().fill(nonce);
    out.write(nonce);
    seal_stream(in, out, payload_key(file_key, nonce));
}

void decrypt_age_payload(ByteSource& in, ByteSink& out, const SecretBytes& file_key) {
    std::array<uint8_t, kPayloadNonceBytes> nonce{};
    if (in.read(nonce) != nonce.size()) {
        fail_age_header("the file was truncated before the end of the payload's 16-byte nonce");
    }
    open_stream(in, out, payload_key(file_key, nonce), "age payload");
}

}  // namespace ward::crypto::internal
