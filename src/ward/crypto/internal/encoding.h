// Text forms of bytes: hexadecimal, base64 (RFC 4648) and Bech32 (BIP 173, without its length
// limit, as age uses it). Decoders accept the canonical form only. No branch and no index depends
// on the bytes, so keys may pass through; what is wrong with a text may show in the time taken.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ward/core/bytes.h"

namespace ward::crypto::internal {

inline ByteView bytes_of(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view text_of(ByteView data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

std::string hex(ByteView data);  // lower case
std::optional<Bytes> decode_hex(std::string_view text);

enum class Base64 { kPadded, kUnpadded, kUrlPadded };
std::string base64(ByteView data, Base64 variant);
std::optional<Bytes> decode_base64(std::string_view text, Base64 variant);
// For keys: the same with wiped memory.
SecretBytes base64_secret(ByteView data, Base64 variant);
std::optional<SecretBytes> decode_base64_secret(std::string_view text, Base64 variant);

// The human-readable part `hrp` is lower case; `upper_case` writes all of it in capitals.
SecretBytes bech32(std::string_view hrp, ByteView data, bool upper_case);
struct Bech32Text {
    std::string hrp;  // lower case
    bool upper_case = false;
    SecretBytes data;
};
std::optional<Bech32Text> decode_bech32(std::string_view text);

}  // namespace ward::crypto::internal
