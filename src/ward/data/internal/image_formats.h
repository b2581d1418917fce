// The two decoders behind image.h; one file each, so that their C libraries meet nothing else.
#pragma once

#include "ward/data/image.h"

namespace ward::data::internal {

Image decode_png(ByteView content, const std::string& source);
Image decode_jpeg(ByteView content, const std::string& source);

// Throws Error kInvalid beyond the caps of image.h. To be called before pixels are allocated.
void check_image_size(int64_t width, int64_t height, const std::string& source);

}  // namespace ward::data::internal
