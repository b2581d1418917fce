// What key files and signatures of minisign share.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ward/core/bytes.h"

namespace ward::crypto::internal {

// The lines of a small text, without "\n" or "\r\n"; a last line may lack its end.
std::vector<std::string_view> minisign_lines(std::string_view text);

// minisign prints the number as a little-endian integer.
std::string number_text(std::span<const uint8_t, 8> number);

}  // namespace ward::crypto::internal
