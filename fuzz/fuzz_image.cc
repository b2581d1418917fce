// Any bytes as an image: told apart and decoded to just the announced pixels, or an Error.
#include <cstdlib>

#include "ward/core/error.h"
#include "ward/data/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ward::data;
    const ward::ByteView content(data, size);
    try {
        const Image image = decode_image(content, "f");
        const auto pixels = static_cast<size_t>(image.width * image.height * image.channels);
        if (image.pixels.size() != pixels || image.width > kMaxImageSide) std::abort();
        if (sniff_image(content) == ImageFormat::kNone) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
