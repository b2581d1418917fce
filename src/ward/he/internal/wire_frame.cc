#include "ward/he/internal/wire_frame.h"

#include <algorithm>

#include "ward/core/digest.h"
#include "ward/core/error.h"

namespace ward::he::internal {
namespace {

constexpr char kMagic[] = "ward-he1";
constexpr size_t kMagicBytes = 8, kIdBytes = 16;

Bytes unhex(const std::string& hex) {
    Bytes out;
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        out.push_back(static_cast<uint8_t>(16 * digit(hex[i]) + digit(hex[i + 1])));
    }
    return out;
}

Bytes id_bytes(const std::string& context_id) {
    return context_id.empty() ? Bytes(kIdBytes, 0) : unhex(context_id);
}

Bytes digest_of(ByteView data) { return unhex(sha256_hex(data)); }

}  // namespace

void fail_corrupt(const std::string& what) {
    throw Error(ErrorCode::kCorrupt, "not an object of homomorphic encryption: " + what);
}

WireWriter::WireWriter(WireKind kind, const std::string& context_id, size_t body_bytes)
    : end_(kWireHeadBytes + body_bytes) {
    out_.reserve(end_ + kWireDigestBytes);
    append(kMagic, kMagicBytes);
    number(static_cast<uint8_t>(kind));
    zeros(7);
    bytes(id_bytes(context_id));
    number(static_cast<uint64_t>(body_bytes));
}

void WireWriter::append(const void* data, size_t size_bytes) {
    const size_t start = out_.size();
    out_.resize(start + size_bytes);
    std::memcpy(out_.data() + start, data, size_bytes);
}

void WireWriter::row(const Modulus& q, const uint64_t* residues, size_t n) {
    const size_t start = out_.size(), size_bytes = row_bytes(q, n);
    out_.resize(start + size_bytes);
    uint8_t* to = out_.data() + start;
    const int bits = q.bits();
    uint64_t word = 0;
    int used = 0;
    size_t done = 0;
    for (size_t i = 0; i < n; ++i) {
        word |= residues[i] << used;
        used += bits;
        if (used < 64) continue;
        std::memcpy(to + done, &word, 8);
        done += 8;
        used -= 64;
        word = used == 0 ? 0 : residues[i] >> (bits - used);
    }
    std::memcpy(to + done, &word, static_cast<size_t>(used) / 8);
}

Bytes WireWriter::finish() {
    if (out_.size() != end_) {
        throw Error(ErrorCode::kInternal, "an object has " + std::to_string(out_.size()) +
                                              " bytes, announced " + std::to_string(end_));
    }
    bytes(digest_of(out_));
    return std::move(out_);
}

WireReader::WireReader(WireKind kind, const std::string& context_id, ByteView bytes) {
    if (bytes.size() < kWireHeadBytes + kWireDigestBytes) fail_corrupt("it is too short");
    if (std::memcmp(bytes.data(), kMagic, kMagicBytes - 1) != 0) fail_corrupt("no magic number");
    if (bytes[kMagicBytes - 1] != static_cast<uint8_t>(kMagic[kMagicBytes - 1])) {
        throw Error(ErrorCode::kUnsupported, "the object is of another version of the format",
                    "write it again with this version of ward");
    }
    body_ = bytes.subspan(kMagicBytes);
    const auto found = number<uint8_t>();
    if (found != static_cast<uint8_t>(kind)) {
        fail_corrupt("it is of kind " + std::to_string(found) + ", expected " +
                     std::to_string(static_cast<int>(kind)));
    }
    zeros(7);
    const ByteView id = take(kIdBytes);
    const auto length = number<uint64_t>();
    if (length != body_.size() - kWireDigestBytes) fail_corrupt("its length is not what it says");
    const ByteView signed_bytes = bytes.first(bytes.size() - kWireDigestBytes);
    if (!std::ranges::equal(digest_of(signed_bytes), bytes.last(kWireDigestBytes))) {
        fail_corrupt("its digest does not fit: the bytes were damaged");
    }
    if (!std::ranges::equal(id_bytes(context_id), id)) {
        throw Error(ErrorCode::kInvalid, "the object belongs to other parameters",
                    "it was made for another plan, model or context");
    }
    body_ = body_.first(static_cast<size_t>(length));
}

ByteView WireReader::take(size_t count) {
    if (count > body_.size()) fail_corrupt("it ends too early");
    const ByteView taken = body_.first(count);
    body_ = body_.subspan(count);
    return taken;
}

void WireReader::zeros(size_t count) {
    for (uint8_t byte : take(count)) {
        if (byte != 0) fail_corrupt("a reserved byte is not zero");
    }
}

PublicSeed WireReader::seed() {
    PublicSeed seed;
    std::ranges::copy(take(seed.size()), seed.begin());
    return seed;
}

void WireReader::row(const Modulus& q, uint64_t* residues, size_t n) {
    const ByteView from = take(row_bytes(q, n));
    const int bits = q.bits();
    const uint64_t mask = (uint64_t{1} << bits) - 1;
    uint64_t word = 0, largest = 0;
    int left = 0;
    size_t done = 0;
    for (size_t i = 0; i < n; ++i) {
        uint64_t residue = word;
        if (left < bits) {
            uint64_t next = 0;
            std::memcpy(&next, from.data() + done, std::min<size_t>(8, from.size() - done));
            done += 8;
            residue |= next << left;
            word = next >> (bits - left);
            left += 64 - bits;
        } else {
            word >>= bits;
            left -= bits;
        }
        residues[i] = residue & mask;
        largest = std::max(largest, residues[i]);
    }
    if (largest >= q.value()) fail_corrupt("a residue is not below its prime");
}

void WireReader::expect_left(size_t count) const {
    if (body_.size() == count) return;
    fail_corrupt("it has " + std::to_string(body_.size()) + " bytes of data, expected " +
                 std::to_string(count));
}

}  // namespace ward::he::internal
