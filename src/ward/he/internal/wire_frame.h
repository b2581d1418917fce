// The frame around every object, and readers and writers of its fields.
#pragma once

#include <bit>
#include <cstring>
#include <string>

#include "ward/core/bytes.h"
#include "ward/core/seed_stream.h"
#include "ward/he/context.h"
#include "ward/he/internal/modulus.h"
#include "ward/he/internal/poly.h"

namespace ward::he::internal {

static_assert(std::endian::native == std::endian::little);

enum class WireKind : uint8_t {
    kParameters = 1,
    kSecretKey = 2,
    kPublicKey = 3,
    kRelinKey = 4,
    kGaloisKeys = 5,
    kCiphertext = 6,
    kClientPlan = 7,
    kCiphertexts = 8,
    kEncryptedModel = 9,
    kWeightPlan = 10,
};

inline constexpr size_t kWireHeadBytes = 40, kWireDigestBytes = 32;

inline size_t row_bytes(const Modulus& q, size_t n) {
    return n / 8 * static_cast<size_t>(q.bits());
}

class WireWriter {
  public:
    // `context_id` is empty for parameters and plans.
    WireWriter(WireKind kind, const std::string& context_id, size_t body_bytes);

    template <typename T>
    void number(T value) {
        append(&value, sizeof value);
    }
    void bytes(ByteView data) { append(data.data(), data.size()); }
    void zeros(size_t count) { out_.resize(out_.size() + count); }
    void row(const Modulus& q, const uint64_t* residues, size_t n);

    // Adds the digest. The body must have the length that was announced.
    Bytes finish();

  private:
    void append(const void* data, size_t size_bytes);
    Bytes out_;
    size_t end_;
};

class WireReader {
  public:
    // Checks the frame. `context_id` is empty for parameters and plans.
    WireReader(WireKind kind, const std::string& context_id, ByteView bytes);

    size_t left() const { return body_.size(); }
    template <typename T>
    T number() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    ByteView take(size_t count);
    void zeros(size_t count);
    PublicSeed seed();
    void row(const Modulus& q, uint64_t* residues, size_t n);
    // Throws unless exactly this much is left: before memory is taken for it.
    void expect_left(size_t count) const;

  private:
    ByteView body_;
};

[[noreturn]] void fail_corrupt(const std::string& what);

}  // namespace ward::he::internal
