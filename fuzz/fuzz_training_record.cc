// Any text as a training record: refused with ward::Error, or a record that survives writing and
// reading and can be rendered.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ward/audit/render_html.h"
#include "ward/audit/render_json.h"
#include "ward/audit/training_report.h"
#include "ward/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ward::audit;
    try {
        const TrainingRecord record =
            parse_training_record({reinterpret_cast<const char*>(data), size}, "fuzz");
        const std::string text = to_json(record);
        if (to_json(parse_training_record(text, "again")) != text) std::abort();
        const Report report = make_training_report({record}, {});
        if (render_html(report).empty() || render_json(report).empty()) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
