#include "ward/core/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "ward/core/error.h"
#include "ward/core/random.h"

namespace ward {
namespace {

constexpr size_t kMaxCopyBytes = size_t{1} << 30;  // for each call of copy_file_range
constexpr size_t kCopyBufferBytes = size_t{1} << 20;

// An open descriptor of a regular file and its size.
struct OpenFile {
    int descriptor = -1;
    size_t size_bytes = 0;

    explicit OpenFile(const std::string& path) {
        descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // no wait for a pipe
        if (descriptor < 0) {
            const int reason = errno;
            throw Error(reason == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                        "cannot open " + path + ": " + std::strerror(reason), "check the path");
        }
        struct stat info {};
        if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
            ::close(descriptor);
            throw Error(ErrorCode::kIo, path + " is not a regular file",
                        "name a file, not a folder or device");
        }
        size_bytes = static_cast<size_t>(info.st_size);
    }
    ~OpenFile() { ::close(descriptor); }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
};

ByteView bytes_of(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

template <typename Buffer>
Buffer read_whole(const std::string& path, size_t max_bytes) {
    const OpenFile file(path);
    if (file.size_bytes > max_bytes) {
        throw Error(ErrorCode::kInvalid, path + " has " + std::to_string(file.size_bytes) +
                                             " bytes, at most " + std::to_string(max_bytes) +
                                             " are read here");
    }
    Buffer data(file.size_bytes, {});
    size_t done = 0;
    while (done < data.size()) {
        const ssize_t got = ::read(file.descriptor, data.data() + done, data.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            throw Error(ErrorCode::kIo, "cannot read " + path + ": " + std::strerror(errno));
        if (got == 0) throw Error(ErrorCode::kIo, path + " became shorter while it was read");
        done += static_cast<size_t>(got);
    }
    return data;
}

// Has the system write a large file to the disk while more of it comes, so that little is left to
// wait for at the end. Asks once for every 8 MiB, when the first byte of the next ones is written.
void start_write_back(int descriptor, off_t place, ssize_t count) {
    constexpr off_t kEvery = off_t{8} << 20;
    const off_t border = place / kEvery * kEvery;
    const bool crossed = border == place || place + count > border + kEvery;
    if (border < kEvery || !crossed) return;
    (void)::sync_file_range(descriptor, border - kEvery, kEvery, SYNC_FILE_RANGE_WRITE);
}

void sync_folder_of(const std::string& path) {
    std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    (void)::fsync(descriptor);
    ::close(descriptor);
}

}  // namespace

Bytes read_file(const std::string& path, size_t max_bytes) {
    return read_whole<Bytes>(path, max_bytes);
}

std::string read_text_file(const std::string& path, size_t max_bytes) {
    return read_whole<std::string>(path, max_bytes);
}

MappedFile::MappedFile(const std::string& path) {
    const OpenFile file(path);
    size_ = file.size_bytes;
    if (size_ == 0) return;
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.descriptor, 0);
    if (address == MAP_FAILED)
        throw Error(ErrorCode::kIo, "cannot map " + path + ": " + std::strerror(errno));
    data_ = static_cast<const uint8_t*>(address);
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

namespace {

// Names that no other writer has, in this or another container that shares the folder.
std::string random_suffix() {
    uint64_t number = 0;
    Random::from_system().fill(
        std::span<uint8_t>(reinterpret_cast<uint8_t*>(&number), sizeof number));
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
    return text;
}

}  // namespace

AtomicFile::AtomicFile(std::string path, Readers readers)
    : path_(std::move(path)), temporary_(path_ + ".partial-" + random_suffix()) {
    struct stat target {};
    if (::lstat(path_.c_str(), &target) == 0 && !S_ISREG(target.st_mode) &&
        !S_ISLNK(target.st_mode)) {
        throw Error(ErrorCode::kIo, path_ + " is not a regular file, and would be replaced by one",
                    "name another file");
    }
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                         readers == Readers::kOwner ? 0600 : 0644);
    if (descriptor_ < 0) fail("cannot create");
}

AtomicFile::~AtomicFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const std::string& what) {
    const int reason = errno;
    throw Error(ErrorCode::kIo, what + " " + path_ + ": " + std::strerror(reason),
                reason == ENOSPC || reason == EFBIG || reason == EDQUOT
                    ? "free some disk space or choose another folder"
                    : "check the folder and its permissions");
}

void AtomicFile::write(ByteView data) {
    write_at(0, data);
    advance(data.size());
}

// The system lets one thread write to a file at a time; those who wait here sleep, in the kernel
// they would spin.
void AtomicFile::write_at(uint64_t offset, ByteView data) {
    const std::lock_guard lock(writing_);
    auto place = static_cast<off_t>(position_ + offset);
    while (!data.empty()) {
        const ssize_t put = ::pwrite(descriptor_, data.data(), data.size(), place);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) fail("cannot write");
        start_write_back(descriptor_, place, put);
        place += put;
        data = data.subspan(static_cast<size_t>(put));
    }
}

void AtomicFile::advance(uint64_t count) { position_ += count; }

void AtomicFile::write(std::string_view text) { write(bytes_of(text)); }

void AtomicFile::copy_from(int descriptor, uint64_t offset, uint64_t count) {
    auto from = static_cast<off_t>(offset);
    Bytes buffer;
    while (count > 0) {
        auto to = static_cast<off_t>(position_);
        const size_t wanted = std::min<uint64_t>(count, kMaxCopyBytes);
        ssize_t done =
            buffer.empty()
                ? ::copy_file_range(descriptor, &from, descriptor_, &to, wanted, 0)
                : ::pread(descriptor, buffer.data(), std::min(wanted, buffer.size()), from);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0 && errno == ENOSPC) fail("cannot write");
        if (done <= 0 && buffer.empty()) {  // not between these files
            buffer.resize(kCopyBufferBytes);
            continue;
        }
        if (done < 0) fail("cannot read what belongs into");
        if (done == 0) {
            throw Error(ErrorCode::kIo, "a file became shorter while it was copied to " + path_);
        }
        if (buffer.empty()) {
            advance(static_cast<uint64_t>(done));
        } else {
            write(ByteView(buffer).first(static_cast<size_t>(done)));
            from += done;
        }
        count -= static_cast<uint64_t>(done);
    }
}

void AtomicFile::commit() {
    if (::fsync(descriptor_) != 0) fail("cannot write");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot write");
    ::close(descriptor_);
    descriptor_ = -1;
    sync_folder_of(path_);
}

FileLock::FileLock(std::string path) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor_ < 0) {
        throw Error(ErrorCode::kIo, "cannot create " + path_ + ": " + std::strerror(errno),
                    "check the folder and its permissions");
    }
    // Locked, and still the file of that name: a holder that has just gone takes its file along.
    struct stat held {
    }, named{};
    const bool ours = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 &&
                      ::fstat(descriptor_, &held) == 0 && ::lstat(path_.c_str(), &named) == 0 &&
                      held.st_ino == named.st_ino && held.st_dev == named.st_dev;
    if (!ours) {
        ::close(descriptor_);
        throw Error(ErrorCode::kRefused, path_ + " is held by another process",
                    "wait for it to end, or give this run another file");
    }
}

FileLock::~FileLock() {
    ::unlink(path_.c_str());
    ::close(descriptor_);
}

void write_file_atomically(const std::string& path, ByteView data) {
    AtomicFile file(path);
    file.write(data);
    file.commit();
}

void write_file_atomically(const std::string& path, std::string_view text) {
    write_file_atomically(path, bytes_of(text));
}

}  // namespace ward
