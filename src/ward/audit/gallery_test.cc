#include "ward/audit/gallery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "ward/core/testing/errors.h"

namespace ward::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

uint32_t u32(const std::string& text, size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(text[at + i]);
    return value;
}

// Reads the file back by the standard: chunks with right checksums, rows behind a filter byte.
TEST(Gallery, PngHoldsThePixels) {
    const Picture picture{.width = 3, .height = 2, .channels = 1, .pixels = {0, 10, 255, 7, 8, 9}};
    const std::string png = encode_png(picture);
    EXPECT_EQ(png.substr(0, 8), std::string("\x89PNG\r\n\x1a\n"));
    std::string raw, types;
    for (size_t at = 8; at < png.size();) {
        const uint32_t size = u32(png, at);
        const std::string body = png.substr(at + 4, size + 4);
        EXPECT_EQ(u32(png, at + 8 + size),
                  ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), size + 4));
        types += body.substr(0, 4);
        if (body.starts_with("IHDR")) {
            EXPECT_EQ(u32(body, 4), 3u);
            EXPECT_EQ(u32(body, 8), 2u);
        }
        if (body.starts_with("IDAT")) {
            raw.resize(8);
            uLongf length = raw.size();
            ASSERT_EQ(::uncompress(reinterpret_cast<Bytef*>(raw.data()), &length,
                                   reinterpret_cast<const Bytef*>(body.data()) + 4, size),
                      Z_OK);
            EXPECT_EQ(length, 8u);
        }
        at += 12 + size;
    }
    EXPECT_EQ(types, "IHDRIDATIEND");
    EXPECT_EQ(raw, std::string("\0\0\x0a\xff\0\x07\x08\x09", 8));
    EXPECT_THAT(ward::testonly::message_of([] { encode_png({.width = 2, .height = 2}); }),
                HasSubstr("as many pixels"));
}

TEST(Gallery, PageIsSelfContainedAndEscapes) {
    const Picture picture{
        .width = 1, .height = 1, .channels = 3, .pixels = {1, 2, 3}, .caption = "<b>\"x\""};
    const std::string page = render_gallery(
        {.title = "<script>", .lead = "l", .columns = {"a"}, .rows = {{"row", {picture}}}});
    EXPECT_THAT(page, Not(HasSubstr("<script>")));
    EXPECT_THAT(page, Not(HasSubstr("<b>\"x\"")));
    EXPECT_THAT(page, HasSubstr("src=\"data:image/png;base64,iVBORw0KGgo"));
    EXPECT_THAT(page, HasSubstr("default-src 'none'"));
    EXPECT_THAT(page, Not(HasSubstr("src=\"http")));
}

}  // namespace
}  // namespace ward::audit
