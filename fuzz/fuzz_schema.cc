// Any text as a schema: what is accepted is valid and survives JSON and YAML unchanged.
#include <cstdlib>
#include <string>
#include <string_view>

#include "ward/core/error.h"
#include "ward/data/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ward::data;
    Schema schema;
    try {
        schema = parse_schema({reinterpret_cast<const char*>(data), size}, "f");
    } catch (const ward::Error&) {
        return 0;
    }
    validate(schema);
    const std::string json = schema_to_json(schema);
    if (schema_to_json(parse_schema(json, "json")) != json) std::abort();
    if (schema_to_json(parse_schema(schema_to_yaml(schema), "yaml")) != json) std::abort();
    return 0;
}
