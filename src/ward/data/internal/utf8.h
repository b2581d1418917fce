// UTF-8 (RFC 3629): shortest forms only, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "ward/core/bytes.h"

namespace ward::data::internal {

// Offset of the first byte that belongs to no character; text.size() when all do.
size_t first_invalid_utf8(std::string_view text);

inline bool is_utf8(std::string_view text) { return first_invalid_utf8(text) == text.size(); }

// Each byte as the character of that number (ISO/IEC 8859-1).
Bytes utf8_of_latin1(ByteView text);

// For error messages about a text file that is not UTF-8.
std::string not_utf8(char byte);  // "byte 0xE9 is not UTF-8 text"
std::string encoding_hint();

}  // namespace ward::data::internal
