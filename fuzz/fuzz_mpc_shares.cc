// Share files are untrusted: any bytes give a file or an Error, and a file that was read is written
// back as it was.
#include <algorithm>
#include <cstdlib>

#include "ward/core/error.h"
#include "ward/mpc/share_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ward::mpc::ShareFile file = ward::mpc::parse_share_file({data, size}, "fuzz");
        const ward::Bytes again = ward::mpc::write_share_file(file);
        const ward::mpc::ShareFile second = ward::mpc::parse_share_file(again, "fuzz");
        if (second.id != file.id || second.matrices.size() != file.matrices.size()) std::abort();
    } catch (const ward::Error&) {
        // refused with a message, as it must be
    }
    return 0;
}
