#include "ward/crypto/stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ward/core/error.h"

namespace ward::crypto {
namespace {

constexpr size_t kCopyBytes = size_t{1} << 20;

// Calls `read_some(where, how many, done so far)` until `out` is full or the file ends.
template <typename ReadSome>
size_t read_fully(const std::string& path, std::span<uint8_t> out, ReadSome read_some) {
    size_t done = 0;
    while (done < out.size()) {
        const ssize_t got = read_some(out.data() + done, out.size() - done, done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            throw Error(ErrorCode::kIo, "cannot read " + path + ": " + std::strerror(errno));
        }
        if (got == 0) break;
        done += static_cast<size_t>(got);
    }
    return done;
}

}  // namespace

size_t ByteSource::read_at(uint64_t, std::span<uint8_t>) const {
    throw Error(ErrorCode::kInternal, "this source has no places");
}

void ByteSink::write_at(uint64_t, ByteView) {
    throw Error(ErrorCode::kInternal, "this sink has no places");
}

void ByteSink::advance(uint64_t) { throw Error(ErrorCode::kInternal, "this sink has no places"); }

ByteView ByteSource::view_at(uint64_t, size_t) const { return {}; }
std::span<uint8_t> ByteSink::room_at(uint64_t, size_t) { return {}; }
bool ByteSink::copy_from(const ByteSource::FilePlace&, uint64_t) { return false; }

void copy_rest(ByteSource& in, ByteSink& out) {
    const auto place = in.file_place();
    const auto count = in.remaining();
    if (place && count && out.copy_from(*place, *count)) return;
    Bytes buffer(kCopyBytes);
    for (size_t got = buffer.size(); got == buffer.size();) {
        got = in.read(buffer);
        out.write(ByteView(buffer).first(got));
    }
}

ByteView MemorySource::view_at(uint64_t offset, size_t count) const {
    if (offset > rest_.size() || count > rest_.size() - offset) return {};
    return rest_.subspan(offset, count);
}

size_t MemorySource::read_at(uint64_t offset, std::span<uint8_t> out) const {
    const ByteView from = rest_.subspan(std::min<uint64_t>(offset, rest_.size()));
    const size_t count = std::min(out.size(), from.size());
    std::copy_n(from.begin(), count, out.begin());
    return count;
}

size_t MemorySource::read(std::span<uint8_t> out) {
    const size_t count = std::min(out.size(), rest_.size());
    std::copy_n(rest_.begin(), count, out.begin());
    rest_ = rest_.subspan(count);
    return count;
}

void SecretSink::require_room(uint64_t count) const {
    if (count <= room_.size() - used_) return;
    throw Error(ErrorCode::kInvalid,
                "more than the expected " + std::to_string(room_.size()) + " bytes of content");
}

void SecretSink::write(ByteView data) {
    write_at(0, data);
    used_ += data.size();
}

void SecretSink::write_at(uint64_t offset, ByteView data) {
    require_room(offset);
    require_room(offset + data.size());
    std::copy(data.begin(), data.end(), room_.reveal_mutable().subspan(used_ + offset).begin());
}

std::span<uint8_t> SecretSink::room_at(uint64_t offset, size_t count) {
    require_room(offset);
    require_room(offset + count);
    return room_.reveal_mutable().subspan(used_ + offset, count);
}

void SecretSink::advance(uint64_t count) {
    require_room(count);
    used_ += count;
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
    return read_fully(path_, out, [&](uint8_t* to, size_t count, size_t) {
        return ::read(descriptor_, to, count);
    });
}

std::optional<uint64_t> FileSource::remaining() const {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    const off_t position = ::lseek(descriptor_, 0, SEEK_CUR);
    if (position < 0) return std::nullopt;
    return static_cast<uint64_t>(std::max<off_t>(0, status.st_size - position));
}

std::optional<ByteSource::FilePlace> FileSource::file_place() const {
    const off_t position = ::lseek(descriptor_, 0, SEEK_CUR);
    if (position < 0) return std::nullopt;
    return FilePlace{descriptor_, static_cast<uint64_t>(position)};
}

size_t FileSource::read_at(uint64_t offset, std::span<uint8_t> out) const {
    const off_t from = ::lseek(descriptor_, 0, SEEK_CUR) + static_cast<off_t>(offset);
    return read_fully(path_, out, [&](uint8_t* to, size_t count, size_t done) {
        return ::pread(descriptor_, to, count, from + static_cast<off_t>(done));
    });
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

void FileSink::write_at(uint64_t offset, ByteView data) { file_->write_at(offset, data); }

void FileSink::advance(uint64_t count) { file_->advance(count); }

bool FileSink::copy_from(const ByteSource::FilePlace& place, uint64_t count) {
    if (file_ == nullptr) return false;
    file_->copy_from(place.descriptor, place.offset, count);
    return true;
}

void FileSink::commit() {
    if (file_ != nullptr) file_->commit();
}

}  // namespace ward::crypto
