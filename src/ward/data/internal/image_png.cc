#include <png.h>

#include "ward/core/error.h"
#include "ward/data/internal/image_formats.h"

namespace ward::data::internal {
namespace {

// libpng's simplified interface, freed at the end of the scope.
struct PngImage {
    png_image image{};
    PngImage() { image.version = PNG_IMAGE_VERSION; }
    ~PngImage() { png_image_free(&image); }
    PngImage(const PngImage&) = delete;
    PngImage& operator=(const PngImage&) = delete;

    void check(const std::string& source) const {
        if (image.warning_or_error == 0) return;
        throw Error(ErrorCode::kCorrupt, source + " is a damaged PNG file: " + image.message,
                    "copy or download it again");
    }
};

}  // namespace

Image decode_png(ByteView content, const std::string& source) {
    PngImage png;
    png_image_begin_read_from_memory(&png.image, content.data(), content.size());
    png.check(source);
    check_image_size(png.image.width, png.image.height, source);
    const bool colour = (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0;
    png.image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    Image out;
    out.width = png.image.width;
    out.height = png.image.height;
    out.channels = colour ? 3 : 1;
    out.pixels.resize(static_cast<size_t>(out.width * out.height * out.channels));
    const png_color black = {0, 0, 0};
    png_image_finish_read(&png.image, &black, out.pixels.data(), 0, nullptr);
    png.check(source);
    return out;
}

}  // namespace ward::data::internal
