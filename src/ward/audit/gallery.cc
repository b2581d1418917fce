#include "ward/audit/gallery.h"

#include <zlib.h>

#include "ward/audit/internal/assets.h"
#include "ward/audit/internal/html.h"
#include "ward/audit/render_html.h"
#include "ward/core/error.h"

namespace ward::audit {
namespace {

void append_u32(std::string& out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

void append_chunk(std::string& out, const std::string& type, const std::string& data) {
    append_u32(out, static_cast<uint32_t>(data.size()));
    const std::string body = type + data;
    out += body;
    append_u32(out, static_cast<uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                                                  static_cast<uInt>(body.size()))));
}

std::string deflated(const std::string& raw) {
    uLongf size = ::compressBound(raw.size());
    std::string out(size, '\0');
    if (::compress(reinterpret_cast<Bytef*>(out.data()), &size,
                   reinterpret_cast<const Bytef*>(raw.data()), raw.size()) != Z_OK)
        throw Error(ErrorCode::kInternal, "a picture cannot be compressed");
    out.resize(size);
    return out;
}

std::string base64(const std::string& bytes) {
    static constexpr char kDigits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t group = 0;
        for (size_t j = 0; j < 3; ++j)
            group = group << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
        for (size_t j = 0; j < 4; ++j)
            out += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
    return out;
}

constexpr const char* kStyle =
    "table.gallery{border-collapse:collapse}table.gallery td,table.gallery th{padding:.4rem "
    ".8rem;text-align:left;vertical-align:top}figure{margin:0}figure img{width:112px;"
    "image-rendering:pixelated;border:1px solid #999}figcaption{font-size:.8rem;max-width:12rem}";

}  // namespace

std::string html_picture(const Picture& picture, std::string_view alternative,
                         std::string_view heading) {
    std::string html = "<figure><img alt=\"" + escape_html(alternative) +
                       "\" src=\"data:image/png;base64," + base64(encode_png(picture)) +
                       "\"><figcaption>";
    if (!heading.empty()) html += element("b", "", heading);
    return html + escape_html(picture.caption) + "</figcaption></figure>";
}

std::string encode_png(const Picture& picture) {
    const int64_t row = picture.width * picture.channels;
    const bool fits = picture.width >= 1 && picture.height >= 1 && picture.width <= 65536 &&
                      picture.height <= 65536 && (picture.channels == 1 || picture.channels == 3) &&
                      static_cast<int64_t>(picture.pixels.size()) == row * picture.height;
    if (!fits) {
        throw Error(ErrorCode::kInvalid,
                    "a picture has one or three channels and as many pixels as "
                    "its size says");
    }
    std::string raw;
    for (int64_t y = 0; y < picture.height; ++y) {
        raw += '\0';  // no filter
        raw.append(reinterpret_cast<const char*>(picture.pixels.data()) + y * row,
                   static_cast<size_t>(row));
    }
    std::string head;
    append_u32(head, static_cast<uint32_t>(picture.width));
    append_u32(head, static_cast<uint32_t>(picture.height));
    head += {8, static_cast<char>(picture.channels == 1 ? 0 : 2), 0, 0, 0};
    std::string png("\x89PNG\r\n\x1a\n", 8);
    append_chunk(png, "IHDR", head);
    append_chunk(png, "IDAT", deflated(raw));
    append_chunk(png, "IEND", {});
    return png;
}

std::string render_gallery(const Gallery& gallery) {
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'\"><meta name=\"viewport\" "
        "content=\"width=device-width\"><title>" +
        escape_html(gallery.title) + "</title><style>" + std::string(embedded_report_css()) +
        kStyle + "</style></head><body><main><h1>" + escape_html(gallery.title) + "</h1><p>" +
        escape_html(gallery.lead) + "</p><table class=\"gallery\"><thead><tr><th></th>";
    for (const std::string& column : gallery.columns)
        out += "<th scope=\"col\">" + escape_html(column) + "</th>";
    out += "</tr></thead><tbody>";
    for (const GalleryRow& row : gallery.rows) {
        out += "<tr><th scope=\"row\">" + escape_html(row.title) + "</th>";
        for (const Picture& picture : row.pictures)
            out += "<td>" + html_picture(picture, picture.caption, "") + "</td>";
        out += "</tr>\n";
    }
    return out + "</tbody></table></main></body></html>\n";
}

}  // namespace ward::audit
