// A file of named byte ranges, each encrypted by itself, so that one is read without the others:
// the tensors of an encrypted model. Format: docs/formats/sealed_container.md.
//
// Every range is a STREAM of 64 KiB chunks (as in age) under its own key; names, sizes, order, a
// header given by the caller and the key of the file lie in an index, which is an age file for the
// recipients. So passphrases, several recipients and rewrapping are age's. What the ranges mean is
// the caller's business: this module knows no model format.
//
// Threat: as age.h; moreover ranges cannot be swapped, renamed or taken from another file. Who
// reads the file learns its length, the number of recipients and a Merkle root (RFC 6962, section
// 2.1) over the encrypted ranges. Whoever signs the file or its root vouches for all ranges, and
// `verify_ranges` finds a damaged one without decrypting it.
//
// Thread safety: a const SealedReader may be used by many threads.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/core/file.h"
#include "ward/crypto/age.h"

namespace ward::crypto {

struct NamedRange {
    std::string name;
    ByteView bytes;
};

// Writes the container; memory is constant. Throws Error kInvalid for a name used twice or over
// 64 KiB, and as age_encrypt does.
void write_sealed_container(ByteSink& out, ByteView header, const std::vector<NamedRange>& ranges,
                            const AgeRecipients& recipients);

// The same for parts of a file or another source with places. Throws Error kInvalid for a part
// outside of it.
struct NamedPart {
    std::string name;
    uint64_t offset = 0;
    uint64_t size_bytes = 0;
};
void write_sealed_container(ByteSink& out, ByteView header, const ByteSource& file,
                            const std::vector<NamedPart>& parts, const AgeRecipients& recipients);

struct SealedEntry {
    std::string name;
    uint64_t size_bytes = 0;         // of the plaintext
    uint64_t offset = 0;             // in the file
    std::array<uint8_t, 32> leaf{};  // of the Merkle tree
};

class SealedReader {
  public:
    // Opens the index; the ranges are read when they are asked for. Throws Error kCorrupt,
    // kUnsupported (another version) or as age_decrypt does.
    SealedReader(const std::string& path, const AgeKeys& keys);

    const Bytes& header() const { return header_; }
    const std::vector<SealedEntry>& entries() const { return entries_; }
    const std::array<uint8_t, 32>& merkle_root() const { return root_; }

    // The plaintext of one range; memory is that of the range and a few MiB. Throws Error kNotFound
    // for an unknown name and kCorrupt naming the range and chunk that were changed.
    Bytes read(std::string_view name) const;
    // The same into memory of exactly its size (Error kUsage else), or a sink.
    void read(std::string_view name, std::span<uint8_t> out) const;
    void read(const SealedEntry& entry, ByteSink& out) const;

    // Compares every encrypted range with its leaf. Throws Error kCorrupt naming the first that
    // differs.
    void verify_ranges() const;

  private:
    size_t index_of(std::string_view name) const;

    FileSource file_;
    SecretBytes key_;
    Bytes header_;
    std::vector<SealedEntry> entries_;
    std::array<uint8_t, 32> root_{};
};

// The same ranges under an index for other recipients; see age_rewrap for what that does not do.
void rewrap_sealed_container(const std::string& path, ByteSink& out, const AgeKeys& keys,
                             const AgeRecipients& recipients);

bool looks_like_sealed_container(ByteView first_bytes);

}  // namespace ward::crypto
