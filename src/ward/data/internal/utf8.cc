#include "ward/data/internal/utf8.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace ward::data::internal {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080u;

// Length of the character at the front of `text`, 0 when there is none (Unicode 15, table 3-7).
size_t character_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const size_t more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || more >= text.size()) return 0;
    for (size_t k = 1; k <= more; ++k)
        if ((static_cast<unsigned char>(text[k]) & 0xc0) != 0x80) return 0;
    const unsigned second = more > 0 ? static_cast<unsigned char>(text[1]) : 0u;
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
        return 0;
    return 1 + more;
}

// Bytes at the front that are ASCII, in steps of 32; the loop is free of branches within a step.
size_t ascii_prefix(std::string_view text) {
    size_t i = 0;
    for (; i + 32 <= text.size(); i += 32) {
        uint64_t words[4];
        std::memcpy(words, text.data() + i, sizeof words);
        if (((words[0] | words[1] | words[2] | words[3]) & kHighBits) != 0) break;
    }
    return i;
}

}  // namespace

size_t first_invalid_utf8(std::string_view text) {
    size_t i = 0;
    while (i < text.size()) {
        i += ascii_prefix(text.substr(i));
        // One step's worth of characters, then look for ASCII again.
        for (const size_t stop = i + 32; i < stop && i < text.size();) {
            const size_t length = character_length(text.substr(i));
            if (length == 0) return i;
            i += length;
        }
    }
    return text.size();
}

Bytes utf8_of_latin1(ByteView text) {
    Bytes out;
    out.reserve(text.size() + text.size() / 8);
    for (uint8_t byte : text) {
        if (byte < 0x80) {
            out.push_back(byte);
        } else {
            out.push_back(static_cast<uint8_t>(0xc0 | byte >> 6));
            out.push_back(static_cast<uint8_t>(0x80 | (byte & 0x3f)));
        }
    }
    return out;
}

std::string not_utf8(char byte) {
    char text[48];
    std::snprintf(text, sizeof text, "byte 0x%02X is not UTF-8 text",
                  static_cast<unsigned>(static_cast<unsigned char>(byte)));
    return text;
}

std::string encoding_hint() {
    return "if the file is Latin-1 pass --encoding latin1; else convert it: "
           "iconv -f ENCODING -t UTF-8 IN > OUT";
}

}  // namespace ward::data::internal
