#include "ward/crypto/internal/encoding.h"

#include <sodium.h>

#include <array>

#include "ward/crypto/internal/declassify.h"

namespace ward::crypto::internal {
namespace {

constexpr std::string_view kBech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr size_t kChecksumSymbols = 6;

int sodium_variant(Base64 variant) {
    switch (variant) {
        case Base64::kPadded:
            return sodium_base64_VARIANT_ORIGINAL;
        case Base64::kUnpadded:
            return sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
        case Base64::kUrlPadded:
            return sodium_base64_VARIANT_URLSAFE;
    }
    return sodium_base64_VARIANT_ORIGINAL;
}

// Decodes into `out`, which must hold text.size() * 3 / 4 + 1 bytes; the number of bytes, or
// nothing.
std::optional<size_t> decode_base64_into(std::span<uint8_t> out, std::string_view text,
                                         Base64 variant) {
    // libsodium 1.0.18 takes some bytes above 127 for letters, which would give a text two forms.
    uint8_t all = 0;
    for (const char c : text) all |= static_cast<uint8_t>(c);
    if (declassify(all >= 0x80)) return std::nullopt;
    size_t count = 0;
    const char* end = nullptr;
    const int wrong = sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr,
                                        &count, &end, sodium_variant(variant));
    if (declassify(wrong) != 0 || declassify(end) != text.data() + text.size()) {
        return std::nullopt;
    }
    return declassify(count);
}

// All ones when a == b, else zero; without a branch.
uint32_t equal_mask(uint32_t a, uint32_t b) {
    const uint32_t difference = a ^ b;
    return ((difference | (0u - difference)) >> 31) - 1u;
}

uint8_t bech32_symbol(uint32_t value) {
    uint32_t symbol = 0;
    for (uint32_t i = 0; i < 32; ++i) {
        symbol |= equal_mask(i, value) & static_cast<uint8_t>(kBech32Alphabet[i]);
    }
    return static_cast<uint8_t>(symbol);
}

// The value of a lower-case symbol; 32 for others.
uint32_t bech32_value(uint8_t symbol) {
    uint32_t value = 0;
    uint32_t found = 0;
    for (uint32_t i = 0; i < 32; ++i) {
        const uint32_t mask = equal_mask(static_cast<uint8_t>(kBech32Alphabet[i]), symbol);
        value |= mask & i;
        found |= mask;
    }
    return value | (~found & 32u);
}

class Bech32Checksum {
  public:
    explicit Bech32Checksum(std::string_view hrp) {
        for (const char c : hrp) add(static_cast<uint8_t>(c) >> 5);
        add(0);
        for (const char c : hrp) add(static_cast<uint8_t>(c) & 31);
    }

    void add(uint32_t value) {
        static constexpr std::array<uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                                               0x3d4233dd, 0x2a1462b3};
        const uint32_t top = state_ >> 25;
        state_ = ((state_ & 0x1ffffff) << 5) ^ value;
        for (uint32_t i = 0; i < 5; ++i) state_ ^= (0u - ((top >> i) & 1u)) & kGenerator[i];
    }

    // After all symbols: 1 for a correct text.
    uint32_t state() const { return state_; }

  private:
    uint32_t state_ = 1;
};

// Groups of `from` bits to groups of `to` bits, most significant first; the rest of the bits, left
// aligned, is put out when `pad` is set, and must otherwise be fewer than `from` zeros.
template <typename In, typename Put>
bool regroup(const In& in, int from, int to, bool pad, Put put) {
    uint32_t bits = 0;
    int count = 0;
    const uint32_t mask = (1u << to) - 1;
    for (const uint32_t value : in) {
        bits = ((bits << from) | value) & 0xfff;
        for (count += from; count >= to;) {
            count -= to;
            put((bits >> count) & mask);
        }
    }
    if (pad) {
        if (count > 0) put((bits << (to - count)) & mask);
        return true;
    }
    return count < from && declassify((bits & ((1u << count) - 1)) == 0);
}

// The place of the last '1', or npos. Looks at every character alike.
size_t last_separator(std::string_view text) {
    size_t place = std::string_view::npos;
    for (size_t i = 0; i < text.size(); ++i) {
        const uint32_t here = equal_mask(static_cast<uint8_t>(text[i]), '1');
        const size_t mask = size_t{0} - (here & 1u);
        place = (place & ~mask) | (i & mask);
    }
    return place;
}

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

std::string hex(ByteView data) {
    std::string out(2 * data.size() + 1, '\0');
    sodium_bin2hex(out.data(), out.size(), data.data(), data.size());
    out.pop_back();
    return out;
}

std::optional<Bytes> decode_hex(std::string_view text) {
    Bytes out(text.size() / 2 + 1);
    size_t count = 0;
    const char* end = nullptr;
    if (sodium_hex2bin(out.data(), out.size(), text.data(), text.size(), nullptr, &count, &end) !=
            0 ||
        end != text.data() + text.size()) {
        return std::nullopt;
    }
    out.resize(count);
    return out;
}

std::string base64(ByteView data, Base64 variant) {
    std::string out(sodium_base64_encoded_len(data.size(), sodium_variant(variant)), '\0');
    sodium_bin2base64(out.data(), out.size(), data.data(), data.size(), sodium_variant(variant));
    out.pop_back();  // its zero
    return out;
}

std::optional<Bytes> decode_base64(std::string_view text, Base64 variant) {
    Bytes out(text.size() / 4 * 3 + 3);
    const auto count = decode_base64_into(out, text, variant);
    if (!count) return std::nullopt;
    out.resize(*count);
    return out;
}

SecretBytes base64_secret(ByteView data, Base64 variant) {
    const size_t size = sodium_base64_encoded_len(data.size(), sodium_variant(variant));
    SecretBytes out(size);
    char* text = reinterpret_cast<char*>(out.reveal_mutable().data());
    sodium_bin2base64(text, size, data.data(), data.size(), sodium_variant(variant));
    return SecretBytes(out.reveal().first(size - 1));  // without its zero
}

std::optional<SecretBytes> decode_base64_secret(std::string_view text, Base64 variant) {
    SecretBytes out(text.size() / 4 * 3 + 3);
    const auto count = decode_base64_into(out.reveal_mutable(), text, variant);
    if (!count) return std::nullopt;
    return SecretBytes(out.reveal().first(*count));
}

SecretBytes bech32(std::string_view hrp, ByteView data, bool upper_case) {
    const size_t symbols = (data.size() * 8 + 4) / 5;
    SecretBytes out(hrp.size() + 1 + symbols + kChecksumSymbols);
    uint8_t* next = out.reveal_mutable().data();
    for (const char c : hrp) *next++ = static_cast<uint8_t>(c);
    *next++ = '1';
    Bech32Checksum checksum(hrp);
    regroup(data, 8, 5, true, [&](uint32_t value) {
        checksum.add(value);
        *next++ = bech32_symbol(value);
    });
    for (size_t i = 0; i < kChecksumSymbols; ++i) checksum.add(0);
    const uint32_t sum = checksum.state() ^ 1u;
    for (size_t i = 0; i < kChecksumSymbols; ++i) {
        *next++ = bech32_symbol((sum >> (5 * (kChecksumSymbols - 1 - i))) & 31);
    }
    if (upper_case) {
        for (uint8_t& c : out.reveal_mutable()) {
            const uint32_t letter = (0x60u - c) >> 31;  // 1 for 'a' and above
            c = static_cast<uint8_t>(c - 0x20u * letter);
        }
    }
    return out;
}

std::optional<Bech32Text> decode_bech32(std::string_view text) {
    const size_t separator = declassify(last_separator(text));
    if (separator == std::string_view::npos || separator == 0 ||
        text.size() - separator - 1 < kChecksumSymbols) {
        return std::nullopt;
    }
    Bech32Text out;
    for (const char c : text.substr(0, separator)) {
        if (c < 33 || c > 126) return std::nullopt;
        out.upper_case |= is_upper(c);
    }
    for (const char c : text.substr(0, separator)) {
        if (out.upper_case && is_lower(c)) return std::nullopt;
        out.hrp += is_upper(c) ? static_cast<char>(c + 32) : c;
    }
    const std::string_view symbols = text.substr(separator + 1);
    Bech32Checksum checksum(out.hrp);
    SecretBytes values(symbols.size());
    uint32_t bad = 0;
    for (size_t i = 0; i < symbols.size(); ++i) {
        const auto c = static_cast<uint8_t>(symbols[i]);
        // One case throughout: letters are folded from the case of the prefix only.
        const uint32_t is_letter = ((0x40u - c) & (c - 0x5bu)) >> 31;  // 1 for 'A' to 'Z'
        const uint32_t fold = out.upper_case ? 0x20u * is_letter : 0u;
        const uint32_t wrong_case = out.upper_case ? ((0x60u - c) & (c - 0x7bu)) >> 31 : is_letter;
        const uint32_t value = bech32_value(static_cast<uint8_t>(c + fold));
        bad |= (value >> 5) | wrong_case;
        checksum.add(value & 31);
        values.reveal_mutable()[i] = static_cast<uint8_t>(value & 31);
    }
    if (declassify(bad) != 0 || declassify(checksum.state() == 1) == false) return std::nullopt;
    const ByteView body = values.reveal().first(symbols.size() - kChecksumSymbols);
    out.data = SecretBytes(body.size() * 5 / 8);
    uint8_t* next = out.data.reveal_mutable().data();
    if (!regroup(body, 5, 8, false, [&](uint32_t b) { *next++ = static_cast<uint8_t>(b); })) {
        return std::nullopt;
    }
    return out;
}

}  // namespace ward::crypto::internal
