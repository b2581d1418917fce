// Any text as a party file: refused with ward::Error, or values within their ranges.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ward/core/error.h"
#include "ward/mpc/learn/party_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const auto file =
            ward::mpc::parse_party({reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
        if (file.index < 0 || file.index > 2 || file.identity.empty()) std::abort();
        if (file.next.name == file.previous.name || file.checkpoint_steps == 0) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
