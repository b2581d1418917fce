#include "ward/data/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <cstdio>
#include <cstdlib>
// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"

namespace ward::data {
namespace {

using ::testing::HasSubstr;

Bytes png_of(png_uint_32 format, int width, int height, const Bytes& pixels) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = static_cast<png_uint_32>(width);
    image.height = static_cast<png_uint_32>(height);
    image.format = format;
    png_alloc_size_t size = 0;
    EXPECT_NE(png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr), 0);
    Bytes file(size);
    EXPECT_NE(png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0, nullptr),
              0);
    file.resize(size);
    return file;
}

Bytes jpeg_of(J_COLOR_SPACE space, int components, int side, uint8_t value) {
    jpeg_compress_struct info{};
    jpeg_error_mgr errors{};
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    unsigned char* out = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&info, &out, &size);
    info.image_width = info.image_height = static_cast<JDIMENSION>(side);
    info.input_components = components;
    info.in_color_space = space;
    jpeg_set_defaults(&info);
    jpeg_start_compress(&info, TRUE);
    Bytes row(static_cast<size_t>(side * components), value);
    JSAMPROW rows = row.data();
    while (info.next_scanline < info.image_height) jpeg_write_scanlines(&info, &rows, 1);
    jpeg_finish_compress(&info);
    Bytes file(out, out + size);
    jpeg_destroy_compress(&info);
    std::free(out);
    return file;
}

std::string error_of(const Bytes& content, ErrorCode code) {
    return testonly::message_of([&] { decode_image(ByteView(content), "f"); }, code);
}

TEST(Image, PngKeepsPixels) {
    const Bytes grey = {0, 50, 100, 150, 200, 255};
    const Image image = decode_image(ByteView(png_of(PNG_FORMAT_GRAY, 3, 2, grey)), "f");
    EXPECT_EQ(image.width, 3);
    EXPECT_EQ(image.height, 2);
    EXPECT_EQ(image.channels, 1);
    EXPECT_EQ(image.pixels, grey);
    const Bytes colour = {1, 2, 3, 40, 50, 60};
    const Image two = decode_image(ByteView(png_of(PNG_FORMAT_RGB, 2, 1, colour)), "f");
    EXPECT_EQ(two.channels, 3);
    EXPECT_EQ(two.pixels, colour);
    // Transparent pixels are black.
    const Bytes clear = {200, 100, 50, 0, 200, 100, 50, 255};
    EXPECT_EQ(decode_image(ByteView(png_of(PNG_FORMAT_RGBA, 2, 1, clear)), "f").pixels,
              (Bytes{0, 0, 0, 200, 100, 50}));
}

TEST(Image, JpegGreyAndColour) {
    const Image grey = decode_image(ByteView(jpeg_of(JCS_GRAYSCALE, 1, 16, 77)), "f");
    EXPECT_EQ(grey.channels, 1);
    EXPECT_EQ(grey.pixels, Bytes(256, 77));
    const Image colour = decode_image(ByteView(jpeg_of(JCS_RGB, 3, 16, 200)), "f");
    EXPECT_EQ(colour.channels, 3);
    ASSERT_EQ(colour.pixels.size(), 768u);
    for (uint8_t value : colour.pixels) EXPECT_NEAR(value, 200, 2);
}

TEST(Image, FormatIsToldByContent) {
    EXPECT_EQ(sniff_image(ByteView(png_of(PNG_FORMAT_GRAY, 1, 1, {5}))), ImageFormat::kPng);
    EXPECT_EQ(sniff_image(ByteView(jpeg_of(JCS_GRAYSCALE, 1, 8, 5))), ImageFormat::kJpeg);
    EXPECT_EQ(sniff_image({}), ImageFormat::kNone);
    EXPECT_THAT(error_of({'G', 'I', 'F', '8'}, ErrorCode::kUnsupported),
                HasSubstr("f is neither a PNG nor a JPEG file"));
}

TEST(Image, HostileFilesAreRefused) {
    Bytes png = png_of(PNG_FORMAT_RGB, 20, 20, Bytes(1200, 9));
    Bytes jpeg = jpeg_of(JCS_RGB, 3, 64, 9);
    const Bytes whole_png = png, whole_jpeg = jpeg;
    for (size_t size : {size_t{10}, png.size() / 2, png.size() - 14}) {
        png.resize(size);
        EXPECT_THAT(error_of(png, ErrorCode::kCorrupt), HasSubstr("f is a damaged PNG file: "));
        png = whole_png;
    }
    for (size_t size : {size_t{10}, jpeg.size() / 2, jpeg.size() - 4}) {
        jpeg.resize(size);
        EXPECT_THAT(error_of(jpeg, ErrorCode::kCorrupt), HasSubstr("f is a damaged JPEG file: "));
        jpeg = whole_jpeg;
    }
    png[45] ^= 0xff;  // the compressed pixels: their checksum no longer fits
    EXPECT_THAT(error_of(png, ErrorCode::kCorrupt), HasSubstr("damaged PNG"));
    // A header that announces 32768 x 32768 pixels, before anything of that size is allocated.
    for (size_t i = 0; i + 9 < jpeg.size(); ++i) {
        if (jpeg[i] != 0xff || jpeg[i + 1] != 0xc0) continue;
        jpeg[i + 5] = jpeg[i + 7] = 0x80;
        jpeg[i + 6] = jpeg[i + 8] = 0;
        break;
    }
    const std::string huge = error_of(jpeg, ErrorCode::kInvalid);
    EXPECT_THAT(huge, HasSubstr("at most 16384 pixels a side"));
    EXPECT_THAT(huge, HasSubstr("got 32768 x 32768"));
    EXPECT_THAT(error_of(jpeg_of(JCS_CMYK, 4, 16, 9), ErrorCode::kUnsupported),
                HasSubstr("got 4 components"));
}

}  // namespace
}  // namespace ward::data
