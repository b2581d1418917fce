// Untrusted names in messages.
#pragma once

#include <string>
#include <string_view>

namespace ward::model {

// At most 64 characters in quotation marks; what is not printable ASCII becomes '?'.
inline std::string in_quotes(std::string_view untrusted) {
    std::string text(untrusted.substr(0, 64));
    for (char& c : text) {
        if (c < 0x20 || c > 0x7e) c = '?';
    }
    return "\"" + text + (untrusted.size() > 64 ? "...\"" : "\"");
}

}  // namespace ward::model
