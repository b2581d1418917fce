#include "ward/crypto/internal/key_lines.h"

#include <algorithm>

#include "ward/core/error.h"
#include "ward/crypto/internal/declassify.h"

namespace ward::crypto::internal {

std::string_view take_line(std::string_view& text) {
    size_t end = 0;
    while (end < text.size() && !declassify(text[end] == '\n')) ++end;
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && declassify(line.back() == '\r')) line.remove_suffix(1);
    return line;
}

void for_each_key_line(std::string_view text, const std::string& path,
                       const std::function<void(std::string_view)>& use) {
    for (size_t number = 1; !text.empty(); ++number) {
        std::string_view line = take_line(text);
        while (!line.empty() && declassify(line.back() == ' ')) line.remove_suffix(1);
        if (line.empty() || line.front() == '#') continue;
        try {
            use(line);
        } catch (const Error& error) {
            throw Error(error.code(),
                        path + ", line " + std::to_string(number) + ": " + error.message(),
                        error.hint());
        }
    }
}

}  // namespace ward::crypto::internal
