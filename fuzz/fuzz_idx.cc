// Any bytes as an IDX file and as CIFAR records: an array of just the announced size, or an
// Error.
#include <cstdlib>

#include "ward/core/error.h"
#include "ward/data/array.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const ward::Bytes content(data, data + size);
    try {
        const ward::data::Array array = ward::data::parse_idx(content, "f");
        if (array.data.size() > size) std::abort();
        for (int64_t i = 0; i < array.elements(); ++i) (void)array.at(i);
    } catch (const ward::Error&) {
    }
    try {
        const auto images = ward::data::parse_cifar(content, "f");
        const size_t record = images.classes == 10 ? 3073 : 3074;
        if (images.labels.size() * record != size) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
