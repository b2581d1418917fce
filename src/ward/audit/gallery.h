// A page of pictures side by side: what an attack brought back beside what it was after. One file,
// no network.
//
// Threat: titles and captions are untrusted and escaped; the page may load nothing but the pictures
// inside it. The pictures may be private data, and so is the page then.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ward::audit {

struct Picture {
    int64_t width = 0, height = 0, channels = 1;  // 1 (grey) or 3
    std::vector<uint8_t> pixels;                  // height x width x channels
    std::string caption;
};

struct GalleryRow {
    std::string title;
    std::vector<Picture> pictures;
};

struct Gallery {
    std::string title, lead;
    std::vector<std::string> columns;  // what the pictures of a row are
    std::vector<GalleryRow> rows;
};

// Throws Error kInvalid for pictures whose sizes do not fit.
std::string render_gallery(const Gallery& gallery);

// A PNG file (RFC 2083), 8 bits per channel.
std::string encode_png(const Picture& picture);

}  // namespace ward::audit
