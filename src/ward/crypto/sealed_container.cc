#include "ward/crypto/sealed_container.h"

#include <algorithm>
#include <set>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/crypto/internal/age_payload.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/merkle.h"
#include "ward/crypto/internal/sealed_index.h"
#include "ward/crypto/kdf.h"

namespace ward::crypto {
namespace {

constexpr size_t kMaxNameBytes = size_t{1} << 16;
constexpr size_t kMaxIndexBytes = size_t{1} << 30;

// Each range has its own key, so that its chunks count from 0 and fit in no other place.
SecretBytes range_key(const SecretBytes& file_key, uint64_t index) {
    Bytes info;
    const std::string_view label = "ward-sealed-1 range ";
    info.assign(label.begin(), label.end());
    for (size_t i = 0; i < 8; ++i) info.push_back(static_cast<uint8_t>(index >> (8 * i)));
    return hkdf(Hash::kSha256, file_key.reveal(), {}, ByteView(info), 32);
}

// Passes bytes on and takes the Merkle leaf of them.
class LeafSink : public ByteSink {
  public:
    explicit LeafSink(ByteSink& out) : out_(out) { hash_.update(std::string_view("\0", 1)); }
    void write(ByteView data) override {
        hash_.update(data);
        bytes_ += data.size();
        out_.write(data);
    }
    uint64_t bytes() const { return bytes_; }
    internal::MerkleHash leaf() { return internal::hash_from_hex(hash_.hex()); }

  private:
    ByteSink& out_;
    Sha256 hash_;
    uint64_t bytes_ = 0;
};

class FixedSink : public ByteSink {
  public:
    explicit FixedSink(std::span<uint8_t> room) : room_(room) {}
    void write(ByteView data) override {
        write_at(0, data);
        advance(data.size());
    }
    bool has_places() const override { return true; }
    void write_at(uint64_t offset, ByteView data) override {
        if (offset > room_.size() || data.size() > room_.size() - offset) {
            throw Error(ErrorCode::kCorrupt, "sealed container: a range is longer than it says");
        }
        std::copy(data.begin(), data.end(), room_.subspan(offset).begin());
    }
    void advance(uint64_t count) override { room_ = room_.subspan(count); }
    std::span<uint8_t> room_at(uint64_t offset, size_t count) override {
        if (offset > room_.size() || count > room_.size() - offset) return {};
        return room_.subspan(offset, count);
    }
    bool full() const { return room_.empty(); }

  private:
    std::span<uint8_t> room_;
};

// A part of a file, for one reader after the other or many threads at once.
class PartSource : public ByteSource {
  public:
    PartSource(const ByteSource& file, uint64_t offset, uint64_t size_bytes)
        : file_(file), offset_(offset), left_(size_bytes) {}
    size_t read(std::span<uint8_t> out) override {
        const size_t count = read_at(0, out);
        offset_ += count;
        left_ -= count;
        return count;
    }
    std::optional<uint64_t> remaining() const override { return left_; }
    size_t read_at(uint64_t offset, std::span<uint8_t> out) const override {
        const uint64_t behind = left_ - std::min(offset, left_);
        return file_.read_at(offset_ + offset, out.first(std::min<uint64_t>(out.size(), behind)));
    }
    std::optional<FilePlace> file_place() const override {
        auto place = file_.file_place();
        if (place) place->offset += offset_;
        return place;
    }

  private:
    const ByteSource& file_;
    uint64_t offset_;
    uint64_t left_;
};

template <typename Named>
void check_names(const std::vector<Named>& ranges) {
    std::set<std::string_view> names;
    for (const Named& range : ranges) {
        if (range.name.size() > kMaxNameBytes) {
            throw Error(ErrorCode::kInvalid, "a name may have 64 KiB, got " +
                                                 std::to_string(range.name.size()) + " bytes");
        }
        if (!names.insert(range.name).second) {
            throw Error(ErrorCode::kInvalid, "range \"" + range.name + "\" comes twice");
        }
    }
}

// The encrypted index and the tail.
void finish_container(ByteSink& out, ByteView index, internal::SealedFrame frame,
                      const AgeRecipients& recipients) {
    MemorySource source(index);
    MemorySink encrypted;
    age_encrypt(source, encrypted, recipients);
    out.write(encrypted.bytes());
    frame.index_bytes = encrypted.bytes().size();
    out.write(internal::sealed_tail(frame));
}

PartSource sealed_part(const ByteSource& file, const SealedEntry& entry) {
    return {file, entry.offset, internal::sealed_stream_bytes(entry.size_bytes)};
}

// The plaintext of the index, in wiped memory.
SecretBytes open_index(const ByteSource& file, const internal::SealedFrame& frame,
                       const AgeKeys& keys) {
    if (frame.index_bytes > kMaxIndexBytes) {
        throw Error(ErrorCode::kCorrupt, "sealed container: its index is over 1 GiB");
    }
    PartSource source(file, internal::kSealedHeadBytes + frame.data_bytes, frame.index_bytes);
    SecretSink plain(frame.index_bytes);  // an age file is longer than its content
    age_decrypt(source, plain, keys);
    return SecretBytes(plain.bytes());
}

// Everything but where the ranges come from.
class ContainerWriter {
  public:
    ContainerWriter(ByteSink& out, ByteView header) : out_(out) {
        index_.key = SecretBytes(32);
        Random::from_system().fill(index_.key.reveal_mutable());
        index_.header.assign(header.begin(), header.end());
        out_.write(internal::sealed_head());
    }

    void add(const std::string& name, ByteSource& in, uint64_t size_bytes) {
        LeafSink sealed(out_);
        internal::seal_stream(in, sealed, range_key(index_.key, leaves_.size()));
        frame_.data_bytes += sealed.bytes();
        leaves_.push_back(sealed.leaf());
        index_.entries.push_back({name, size_bytes, 0, leaves_.back()});
    }

    void finish(const AgeRecipients& recipients) {
        frame_.root = internal::merkle_root(leaves_);
        finish_container(out_, internal::write_sealed_index(index_).reveal(), frame_, recipients);
    }

  private:
    ByteSink& out_;
    internal::SealedIndex index_;
    internal::SealedFrame frame_;
    std::vector<internal::MerkleHash> leaves_;
};

}  // namespace

void write_sealed_container(ByteSink& out, ByteView header, const std::vector<NamedRange>& ranges,
                            const AgeRecipients& recipients) {
    check_names(ranges);
    ContainerWriter writer(out, header);
    for (const NamedRange& range : ranges) {
        MemorySource in(range.bytes);
        writer.add(range.name, in, range.bytes.size());
    }
    writer.finish(recipients);
}

void write_sealed_container(ByteSink& out, ByteView header, const ByteSource& file,
                            const std::vector<NamedPart>& parts, const AgeRecipients& recipients) {
    check_names(parts);
    const uint64_t size = file.remaining().value_or(0);
    ContainerWriter writer(out, header);
    for (const NamedPart& part : parts) {
        if (part.offset > size || part.size_bytes > size - part.offset) {
            throw Error(ErrorCode::kInvalid, "\"" + part.name + "\" ends at byte " +
                                                 std::to_string(part.offset + part.size_bytes) +
                                                 ", the file has " + std::to_string(size));
        }
        PartSource in(file, part.offset, part.size_bytes);
        writer.add(part.name, in, part.size_bytes);
    }
    writer.finish(recipients);
}

SealedReader::SealedReader(const std::string& path, const AgeKeys& keys) : file_(path) {
    const internal::SealedFrame frame = internal::parse_sealed_frame(file_);
    const SecretBytes plain = open_index(file_, frame, keys);
    internal::SealedIndex index = internal::parse_sealed_index(plain.reveal(), frame);
    key_ = std::move(index.key);
    header_ = std::move(index.header);
    entries_ = std::move(index.entries);
    root_ = frame.root;
}

size_t SealedReader::index_of(std::string_view name) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const auto& own) { return own.name == name; });
    if (found != entries_.end()) return static_cast<size_t>(found - entries_.begin());
    throw Error(ErrorCode::kNotFound, "the container holds no range \"" + std::string(name) + "\"");
}

void SealedReader::read(const SealedEntry& entry, ByteSink& out) const {
    const size_t index = index_of(entry.name);
    PartSource in = sealed_part(file_, entries_[index]);
    internal::open_stream(in, out, range_key(key_, index),
                          std::string("range \"") + entry.name + "\"");
}

Bytes SealedReader::read(std::string_view name) const {
    Bytes out(entries_[index_of(name)].size_bytes);
    read(name, out);
    return out;
}

void SealedReader::read(std::string_view name, std::span<uint8_t> out) const {
    const SealedEntry& entry = entries_[index_of(name)];
    if (out.size() != entry.size_bytes) {
        throw Error(ErrorCode::kUsage, "range \"" + entry.name + "\" has " +
                                           std::to_string(entry.size_bytes) +
                                           " bytes, got room for " + std::to_string(out.size()));
    }
    FixedSink sink(out);
    read(entry, sink);
    if (!sink.full()) {
        throw Error(ErrorCode::kCorrupt, "range \"" + entry.name + "\" is too short");
    }
}

void SealedReader::verify_ranges() const {
    class Nowhere : public ByteSink {
        void write(ByteView) override {}
    } nowhere;
    for (const SealedEntry& entry : entries_) {
        PartSource in = sealed_part(file_, entry);
        LeafSink leaf(nowhere);
        copy_rest(in, leaf);
        if (leaf.leaf() != entry.leaf) {
            throw Error(ErrorCode::kCorrupt, "range \"" + entry.name + "\" was changed");
        }
    }
}

void rewrap_sealed_container(const std::string& path, ByteSink& out, const AgeKeys& keys,
                             const AgeRecipients& recipients) {
    const FileSource file(path);
    const internal::SealedFrame frame = internal::parse_sealed_frame(file);
    const SecretBytes index = open_index(file, frame, keys);
    (void)internal::parse_sealed_index(index.reveal(), frame);
    PartSource unchanged(file, 0, internal::kSealedHeadBytes + frame.data_bytes);
    copy_rest(unchanged, out);
    finish_container(out, index.reveal(), frame, recipients);
}

bool looks_like_sealed_container(ByteView first_bytes) {
    return internal::text_of(first_bytes).starts_with("ward-sealed-");
}

}  // namespace ward::crypto
