#include "ward/data/internal/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ward/core/error.h"
#include "ward/data/internal/utf8.h"

namespace ward::data::internal {

struct ByteSource::GzipFile {
    gzFile handle = nullptr;

    explicit GzipFile(const std::string& path) {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) {
            const int reason = errno;
            throw Error(reason == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                        "cannot open " + path + ": " + std::strerror(reason), "check the path");
        }
        struct stat info {};
        if (::fstat(descriptor, &info) != 0 || S_ISDIR(info.st_mode)) {
            ::close(descriptor);
            throw Error(ErrorCode::kIo, path + " is a folder, expected a file");
        }
        handle = gzdopen(descriptor, "rb");
        if (handle == nullptr) {
            ::close(descriptor);
            throw Error(ErrorCode::kIo, "cannot open " + path);
        }
        gzbuffer(handle, 1u << 17);
    }
    ~GzipFile() { gzclose_r(handle); }
    GzipFile(const GzipFile&) = delete;
    GzipFile& operator=(const GzipFile&) = delete;

    void check(const std::string& path) const {
        int code = Z_OK;
        const char* text = gzerror(handle, &code);
        if (code == Z_OK) return;
        if (code == Z_ERRNO)
            throw Error(ErrorCode::kIo, "cannot read " + path + ": " + std::strerror(errno));
        const std::string what = code == Z_BUF_ERROR ? "it ends early" : text;
        throw Error(ErrorCode::kCorrupt, path + " is a damaged gzip file: " + what,
                    "copy or download it again");
    }
};

ByteSource::ByteSource(std::string name) : name_(std::move(name)) {}
ByteSource::ByteSource(ByteSource&&) noexcept = default;
ByteSource::~ByteSource() = default;

ByteSource ByteSource::open(const std::string& path) {
    ByteSource source(path);
    source.file_ = std::make_unique<GzipFile>(path);
    return source;
}

ByteSource ByteSource::memory(ByteView content, std::string name) {
    ByteSource source(std::move(name));
    source.memory_ = content;
    return source;
}

size_t ByteSource::read(uint8_t* out, size_t size) {
    return latin1_ ? read_decoded(out, size) : read_raw(out, size);
}

size_t ByteSource::read_decoded(uint8_t* out, size_t size) {
    size_t done = 0;
    while (done < size) {
        if (decoded_at_ == decoded_.size()) {
            Bytes raw(size_t{64} << 10);
            raw.resize(read_raw(raw.data(), raw.size()));
            if (raw.empty()) break;
            decoded_ = utf8_of_latin1(raw);
            decoded_at_ = 0;
        }
        const size_t step = std::min(size - done, decoded_.size() - decoded_at_);
        std::memcpy(out + done, decoded_.data() + decoded_at_, step);
        decoded_at_ += step;
        done += step;
    }
    return done;
}

size_t ByteSource::read_raw(uint8_t* out, size_t size) {
    size_t done = 0;
    if (file_ == nullptr) {
        done = std::min(size, memory_.size());
        if (done > 0) std::memcpy(out, memory_.data(), done);
        memory_ = memory_.subspan(done);
    }
    while (file_ != nullptr && done < size) {
        const auto step = static_cast<unsigned>(std::min<size_t>(size - done, 1u << 30));
        const int got = gzread(file_->handle, out + done, step);
        if (got <= 0) {
            file_->check(name_);
            break;
        }
        done += static_cast<size_t>(got);
    }
    hash_.update(ByteView(out, done));
    return done;
}

std::string ByteSource::digest() { return hash_.hex(); }

Bytes read_content(const std::string& path, size_t max_bytes) {
    ByteSource source = ByteSource::open(path);
    Bytes content;
    constexpr size_t kStep = size_t{4} << 20;
    while (true) {
        const size_t before = content.size();
        content.resize(before + kStep);
        const size_t got = source.read(content.data() + before, kStep);
        content.resize(before + got);
        if (content.size() > max_bytes) {
            throw Error(ErrorCode::kInvalid,
                        path + " holds more than " + std::to_string(max_bytes) + " bytes");
        }
        if (got < kStep) return content;
    }
}

}  // namespace ward::data::internal
