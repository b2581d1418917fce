// Any text as a model spec: refused with ward::Error, or a spec whose canonical text is a fixed
// point and whose parameters stay within the cap.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ward/core/error.h"
#include "ward/model/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const auto spec = ward::model::parse_spec({reinterpret_cast<const char*>(data), size});
        const std::string text = ward::model::to_json(spec);
        if (ward::model::to_json(ward::model::parse_spec(text)) != text) std::abort();
        const int64_t count = ward::model::parameter_count(spec);
        if (count < 0 || count > int64_t{1} << 31) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
