#include "ward/crypto/internal/sealed_index.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "ward/core/error.h"
#include "ward/crypto/internal/age_payload.h"
#include "ward/crypto/internal/encoding.h"

namespace ward::crypto::internal {
namespace {

constexpr std::string_view kTailMagic = "ward-sealed-end\n";
constexpr std::string_view kIndexMagic = "ward-sealed-index-1\n";
constexpr size_t kKeyBytes = 32;
constexpr size_t kMaxNameBytes = size_t{1} << 16;

[[noreturn]] void fail(const std::string& what) {
    throw Error(ErrorCode::kCorrupt, "sealed container: " + what);
}

class Writer {
  public:
    explicit Writer(std::span<uint8_t> out) : next_(out.data()) {}
    void bytes(ByteView data) { next_ = std::copy(data.begin(), data.end(), next_); }
    void number(uint64_t value) {
        for (size_t i = 0; i < 8; ++i) *next_++ = static_cast<uint8_t>(value >> (8 * i));
    }

  private:
    uint8_t* next_;
};

class Reader {
  public:
    explicit Reader(ByteView data) : rest_(data) {}
    ByteView bytes(uint64_t count) {
        if (count > rest_.size()) {
            fail("it claims " + std::to_string(count) + " bytes where " +
                 std::to_string(rest_.size()) + " follow");
        }
        const ByteView out = rest_.first(count);
        rest_ = rest_.subspan(count);
        return out;
    }
    uint64_t number() {
        uint64_t value = 0;
        const ByteView in = bytes(8);
        for (size_t i = 0; i < 8; ++i) value |= uint64_t{in[i]} << (8 * i);
        return value;
    }
    MerkleHash hash() {
        MerkleHash out{};
        std::copy_n(bytes(out.size()).begin(), out.size(), out.begin());
        return out;
    }
    size_t left() const { return rest_.size(); }

  private:
    ByteView rest_;
};

SealedEntry read_entry(Reader& in, uint64_t offset, uint64_t data_left) {
    SealedEntry entry;
    const uint64_t name_bytes = in.number();
    if (name_bytes > kMaxNameBytes) fail("a name has " + std::to_string(name_bytes) + " bytes");
    entry.name = text_of(in.bytes(name_bytes));
    entry.size_bytes = in.number();
    entry.leaf = in.hash();
    entry.offset = offset;
    if (entry.size_bytes > data_left || sealed_stream_bytes(entry.size_bytes) > data_left) {
        fail("range \"" + entry.name + "\" is longer than the data");
    }
    return entry;
}

}  // namespace

Bytes sealed_head() { return Bytes(kSealedMagic.begin(), kSealedMagic.end()); }

Bytes sealed_tail(const SealedFrame& frame) {
    Bytes out(kSealedTailBytes);
    Writer writer(out);
    writer.number(frame.data_bytes);
    writer.number(frame.index_bytes);
    writer.bytes(frame.root);
    writer.bytes(bytes_of(kTailMagic));
    return out;
}

SealedFrame parse_sealed_frame(const ByteSource& file) {
    const auto size = file.remaining();
    if (!size) throw Error(ErrorCode::kIo, "sealed container: expected a regular file");
    std::array<uint8_t, kSealedHeadBytes> head{};
    if (!looks_like_sealed_container(ByteView(head).first(file.read_at(0, head)))) {
        fail("the file does not begin as one");
    }
    if (*size < kSealedHeadBytes + kSealedTailBytes) fail("the file was truncated");
    if (!text_of(head).starts_with(kSealedMagic)) {
        throw Error(ErrorCode::kUnsupported, "sealed container: unknown version, expected 1",
                    "use a newer Ward");
    }
    std::array<uint8_t, kSealedTailBytes> tail{};
    if (file.read_at(*size - kSealedTailBytes, tail) != tail.size() ||
        !text_of(tail).ends_with(kTailMagic)) {
        fail("the file does not end as one: it was truncated");
    }
    Reader in(tail);
    SealedFrame frame;
    frame.data_bytes = in.number();
    frame.index_bytes = in.number();
    frame.root = in.hash();
    const uint64_t inside = *size - kSealedHeadBytes - kSealedTailBytes;
    if (frame.data_bytes > inside || frame.index_bytes != inside - frame.data_bytes) {
        fail("its parts do not fill the file");
    }
    return frame;
}

SecretBytes write_sealed_index(const SealedIndex& index) {
    size_t size = kIndexMagic.size() + kKeyBytes + 8 + index.header.size() + 8;
    for (const SealedEntry& entry : index.entries) size += 8 + entry.name.size() + 8 + 32;
    SecretBytes out(size);
    Writer writer(out.reveal_mutable());
    writer.bytes(bytes_of(kIndexMagic));
    writer.bytes(index.key.reveal());
    writer.number(index.header.size());
    writer.bytes(index.header);
    writer.number(index.entries.size());
    for (const SealedEntry& entry : index.entries) {
        writer.number(entry.name.size());
        writer.bytes(bytes_of(entry.name));
        writer.number(entry.size_bytes);
        writer.bytes(entry.leaf);
    }
    return out;
}

SealedIndex parse_sealed_index(ByteView bytes, const SealedFrame& frame) {
    Reader in(bytes);
    SealedIndex index;
    if (bytes.size() < kIndexMagic.size() || text_of(in.bytes(kIndexMagic.size())) != kIndexMagic) {
        fail("its index does not begin as one");
    }
    index.key = SecretBytes(in.bytes(kKeyBytes));
    const ByteView header = in.bytes(in.number());
    index.header.assign(header.begin(), header.end());
    const uint64_t count = in.number();
    if (count > in.left() / 48) fail("it claims " + std::to_string(count) + " ranges");
    uint64_t position = 0;
    std::set<std::string> names;
    std::vector<MerkleHash> leaves;
    for (uint64_t i = 0; i < count; ++i) {
        SealedEntry entry =
            read_entry(in, kSealedHeadBytes + position, frame.data_bytes - position);
        position += sealed_stream_bytes(entry.size_bytes);
        if (!names.insert(entry.name).second) fail("range \"" + entry.name + "\" comes twice");
        leaves.push_back(entry.leaf);
        index.entries.push_back(std::move(entry));
    }
    if (in.left() != 0) fail("its index has bytes left over");
    if (position != frame.data_bytes) fail("its ranges do not fill its data");
    if (merkle_root(leaves) != frame.root) fail("its Merkle root was changed");
    return index;
}

}  // namespace ward::crypto::internal
