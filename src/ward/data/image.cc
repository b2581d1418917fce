#include "ward/data/image.h"

#include <algorithm>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/data/internal/image_formats.h"

namespace ward::data {
namespace {

constexpr uint8_t kPngMagic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr uint8_t kJpegMagic[] = {0xff, 0xd8, 0xff};

template <size_t kSize>
bool starts_with(ByteView content, const uint8_t (&magic)[kSize]) {
    return content.size() >= kSize && std::equal(magic, magic + kSize, content.begin());
}

}  // namespace

ImageFormat sniff_image(ByteView content) {
    if (starts_with(content, kPngMagic)) return ImageFormat::kPng;
    return starts_with(content, kJpegMagic) ? ImageFormat::kJpeg : ImageFormat::kNone;
}

Image decode_image(ByteView content, const std::string& source) {
    if (content.size() > kMaxImageBytes) {
        throw Error(ErrorCode::kInvalid, source + ": an image file has at most " +
                                             std::to_string(kMaxImageBytes) + " bytes, got " +
                                             std::to_string(content.size()));
    }
    switch (sniff_image(content)) {
        case ImageFormat::kPng:
            return internal::decode_png(content, source);
        case ImageFormat::kJpeg:
            return internal::decode_jpeg(content, source);
        case ImageFormat::kNone:
            break;
    }
    throw Error(ErrorCode::kUnsupported, source + " is neither a PNG nor a JPEG file",
                "convert it to one of them");
}

Image read_image(const std::string& path) {
    return decode_image(ByteView(read_file(path, kMaxImageBytes)), path);
}

namespace internal {

void check_image_size(int64_t width, int64_t height, const std::string& source) {
    const bool fits = width >= 1 && height >= 1 && width <= kMaxImageSide &&
                      height <= kMaxImageSide && width * height <= kMaxImagePixels;
    if (fits) return;
    throw Error(ErrorCode::kInvalid,
                source + ": an image has at most " + std::to_string(kMaxImageSide) +
                    " pixels a side and " + std::to_string(kMaxImagePixels) + " in all, got " +
                    std::to_string(width) + " x " + std::to_string(height),
                "make it smaller");
}

}  // namespace internal
}  // namespace ward::data
