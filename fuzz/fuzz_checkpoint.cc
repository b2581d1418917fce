// Any bytes as what a checkpoint holds inside its seal (who has the key may write anything there):
// refused with ward::Error, or a state that is written again as the same bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "ward/core/error.h"
#include "ward/mpc/learn/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const auto checkpoint = ward::mpc::internal::decode_checkpoint({data, size});
        const ward::Bytes again = ward::mpc::internal::encode_checkpoint(checkpoint);
        if (!std::equal(again.begin(), again.end(), data, data + size)) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
