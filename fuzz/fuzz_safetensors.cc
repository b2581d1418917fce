// Any bytes as a safetensors file: refused with ward::Error, or a table whose tensors fill the data
// exactly.
#include <cstdint>
#include <cstdlib>

#include "ward/core/error.h"
#include "ward/model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const auto table = ward::model::parse_safetensors({data, size}, "fuzz");
        uint64_t position = 0;
        for (const auto& tensor : table.tensors) {
            if (tensor.begin != position || tensor.end < tensor.begin) std::abort();
            position = tensor.end;
        }
        if (table.data_offset + position != size) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
