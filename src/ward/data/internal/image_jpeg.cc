#include <csetjmp>
#include <cstddef>
#include <cstdio>
// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>
// and jerror.h needs jpeglib.h
#include <jerror.h>

#include "ward/core/error.h"
#include "ward/data/internal/image_formats.h"

namespace ward::data::internal {
namespace {

constexpr int kMaxScans = 100;  // a progressive file may hold thousands, each over all pixels

// libjpeg reports errors by a call that must not return: it jumps back to the step that is running.
// Nothing with a destructor lives in those steps.
struct Decoder {
    jpeg_decompress_struct info{};
    jpeg_error_mgr errors{};
    jpeg_progress_mgr progress{};
    std::jmp_buf back{};
    char message[JMSG_LENGTH_MAX] = "";

    Decoder() {
        info.err = jpeg_std_error(&errors);
        info.client_data = this;
        errors.error_exit = fail;
        errors.emit_message = [](j_common_ptr common, int level) {
            // Warnings mean damaged data, but for bytes between two parts of the file.
            if (level < 0 && common->err->msg_code != JWRN_EXTRANEOUS_DATA) fail(common);
        };
        errors.output_message = [](j_common_ptr) {};
        progress.progress_monitor = [](j_common_ptr common) {
            const auto* decompress = reinterpret_cast<j_decompress_ptr>(common);
            if (decompress->input_scan_number > kMaxScans) fail_with(common, "too many scans");
        };
    }
    ~Decoder() { jpeg_destroy_decompress(&info); }
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    // libjpeg is C: it can only be left by a jump, over its own frames.
    // NOLINTBEGIN(cert-err52-cpp)
    [[noreturn]] static void fail(j_common_ptr common) {
        auto* self = static_cast<Decoder*>(common->client_data);
        common->err->format_message(common, self->message);
        std::longjmp(self->back, 1);
    }
    [[noreturn]] static void fail_with(j_common_ptr common, const char* what) {
        auto* self = static_cast<Decoder*>(common->client_data);
        std::snprintf(self->message, sizeof self->message, "%s", what);
        std::longjmp(self->back, 1);
    }

    // The steps; false with a message when libjpeg refuses.
    bool read_header(ByteView content) {
        if (setjmp(back) != 0) return false;
        jpeg_create_decompress(&info);
        info.progress = &progress;
        jpeg_mem_src(&info, content.data(), static_cast<unsigned long>(content.size()));
        return jpeg_read_header(&info, TRUE) == JPEG_HEADER_OK;
    }
    bool read_pixels(uint8_t* out) {
        if (setjmp(back) != 0) return false;
        info.out_color_space = info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
        jpeg_start_decompress(&info);
        const size_t stride =
            size_t{info.output_width} * static_cast<size_t>(info.output_components);
        while (info.output_scanline < info.output_height) {
            JSAMPROW row = out + stride * info.output_scanline;
            jpeg_read_scanlines(&info, &row, 1);
        }
        jpeg_finish_decompress(&info);
        return true;
    }
    // NOLINTEND(cert-err52-cpp)
};

}  // namespace

Image decode_jpeg(ByteView content, const std::string& source) {
    Decoder decoder;
    const auto damaged = [&] {
        return Error(ErrorCode::kCorrupt,
                     source + " is a damaged JPEG file: " + std::string(decoder.message),
                     "copy or download it again");
    };
    if (!decoder.read_header(content)) throw damaged();
    const int components = decoder.info.num_components;
    if (components != 1 && components != 3) {
        throw Error(ErrorCode::kUnsupported,
                    source + ": a JPEG file must be grey or RGB, got " +
                        std::to_string(components) + " components",
                    "convert it to RGB");
    }
    Image out;
    out.width = decoder.info.image_width;
    out.height = decoder.info.image_height;
    out.channels = components;
    check_image_size(out.width, out.height, source);
    out.pixels.resize(static_cast<size_t>(out.width * out.height * out.channels));
    if (!decoder.read_pixels(out.pixels.data())) throw damaged();
    return out;
}

}  // namespace ward::data::internal
