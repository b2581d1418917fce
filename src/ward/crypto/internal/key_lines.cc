#include "ward/crypto/internal/key_lines.h"

#include <algorithm>

#include "ward/core/error.h"

namespace ward::crypto::internal {

void for_each_key_line(std::string_view text, const std::string& path,
                       const std::function<void(std::string_view)>& use) {
    for (size_t number = 1; !text.empty(); ++number) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
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
