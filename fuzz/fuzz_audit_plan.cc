// Any text as audit.yaml and as gate.yaml: an error, or a plan and gates that can be judged.
#include <string>

#include "ward/audit/audit_plan.h"
#include "ward/audit/judge.h"
#include "ward/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ward::audit;
    const std::string text(reinterpret_cast<const char*>(data), size);
    std::vector<ExperimentResult> results;
    try {
        for (const ExperimentSpec& spec : parse_audit_plan(text, "f").experiments) {
            results.emplace_back();
            results.back().spec = spec;
        }
        (void)parse_results(to_json(results), "state");
    } catch (const ward::Error& error) {
        if (error.code() != ward::ErrorCode::kInvalid) __builtin_trap();
    }
    try {
        (void)judge({3.0, 1e-5, 3.0}, results, parse_gates(text, "f"));
    } catch (const ward::Error& error) {
        if (error.code() != ward::ErrorCode::kInvalid) __builtin_trap();
    }
    return 0;
}
