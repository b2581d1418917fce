// Any bytes as an NPY file: an array of just the announced size, or an Error.
#include <cstdlib>

#include "ward/core/error.h"
#include "ward/data/array.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ward::data::Array array = ward::data::parse_npy(ward::Bytes(data, data + size), "f");
        if (array.data.size() > size) std::abort();
        int64_t product = 1;
        for (int64_t dimension : array.shape) product *= dimension;
        if (product != array.elements()) std::abort();
        for (int64_t i = 0; i < array.elements(); ++i) (void)array.at(i);
    } catch (const ward::Error&) {
    }
    return 0;
}
