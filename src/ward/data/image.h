// PNG and JPEG files, told apart by their first bytes, as 8-bit pixels. libpng and libjpeg do the
// work.
//
// Grey files have one channel, all others three (sRGB). Transparent pixels are laid on black,
// 16-bit values are rounded to 8 bits, EXIF orientation is not looked at. Refused: CMYK, and
// whatever the libraries complain about, be it a mere warning.
//
// Threat: the files are untrusted. File size, sides, pixels and the scans of a progressive JPEG are
// capped before pixels are allocated. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "ward/core/bytes.h"

namespace ward::data {

inline constexpr size_t kMaxImageBytes = size_t{64} << 20;  // of the file
inline constexpr int64_t kMaxImageSide = 16384;
inline constexpr int64_t kMaxImagePixels = int64_t{1} << 24;

struct Image {
    int64_t width = 0;
    int64_t height = 0;
    int64_t channels = 0;  // 1 or 3
    Bytes pixels;          // row by row, channels of a pixel side by side
};

enum class ImageFormat { kNone, kPng, kJpeg };
ImageFormat sniff_image(ByteView content);

// Throws Error kUnsupported (neither PNG nor JPEG, CMYK), kInvalid (above a cap) or kCorrupt.
Image decode_image(ByteView content, const std::string& source);
Image read_image(const std::string& path);  // also kNotFound, kIo

}  // namespace ward::data
