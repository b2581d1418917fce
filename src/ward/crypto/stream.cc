#include "ward/crypto/stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ward/core/error.h"

namespace ward::crypto {

size_t MemorySource::read(std::span<uint8_t> out) {
    const size_t count = std::min(out.size(), rest_.size());
    std::copy_n(rest_.begin(), count, out.begin());
    rest_ = rest_.subspan(count);
    return count;
}

void SecretSink::write(ByteView data) {
    if (data.size() > room_.size() - used_) {
        throw Error(ErrorCode::kInvalid,
                    "more than the expected " + std::to_string(room_.size()) + " bytes of content");
    }
    std::copy(data.begin(), data.end(), room_.reveal_mutable().subspan(used_).begin());
    used_ += data.size();
}

FileSource::FileSource(const std::string& path) : path_(path == "-" ? "standard input" : path) {
    if (path == "-") {
        descriptor_ = STDIN_FILENO;
        return;
    }
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) {
        throw Error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                    "cannot open " + path + ": " + std::strerror(errno));
    }
    struct stat status {};
    if (::fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) {
        ::close(descriptor_);
        throw Error(ErrorCode::kIo, "cannot read " + path + ": it is a folder, expected a file");
    }
    (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
}

FileSource::~FileSource() {
    if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
}

size_t FileSource::read(std::span<uint8_t> out) {
    size_t done = 0;
    while (done < out.size()) {
        const ssize_t got = ::read(descriptor_, out.data() + done, out.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            throw Error(ErrorCode::kIo, "cannot read " + path_ + ": " + std::strerror(errno));
        }
        if (got == 0) break;
        done += static_cast<size_t>(got);
    }
    return done;
}

FileSink::FileSink(const std::string& path) {
    if (path != "-") file_ = std::make_unique<AtomicFile>(path);
}

void FileSink::write(ByteView data) {
    if (file_ != nullptr) {
        file_->write(data);
        return;
    }
    for (size_t done = 0; done < data.size();) {
        const ssize_t put = ::write(STDOUT_FILENO, data.data() + done, data.size() - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            throw Error(ErrorCode::kIo,
                        std::string("cannot write standard output: ") + std::strerror(errno));
        }
        done += static_cast<size_t>(put);
    }
}

void FileSink::commit() {
    if (file_ != nullptr) file_->commit();
}

}  // namespace ward::crypto
