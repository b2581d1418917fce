// Any text as LIBSVM rows: as many rows as labels, all finite, or an Error.
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "ward/core/error.h"
#include "ward/data/libsvm.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ward::data;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    // An index may ask for a gigabyte; that is refused beyond the cap, but too slow for a fuzzer.
    size_t digits = 0;
    for (char c : text) {
        digits = c >= '0' && c <= '9' ? digits + 1 : 0;
        if (digits > 4) return 0;
    }
    try {
        const LibsvmData rows = parse_libsvm(text, "f");
        if (rows.labels.size() != static_cast<size_t>(rows.features.shape[0])) std::abort();
        for (int64_t i = 0; i < rows.features.elements(); ++i)
            if (!std::isfinite(rows.features.at(i))) std::abort();
        for (int64_t label : rows.labels)
            if (label >= static_cast<int64_t>(rows.class_names.size())) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
