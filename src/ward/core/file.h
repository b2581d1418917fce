// Whole-file reading with a cap, memory maps, and files that appear complete or not at all.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "ward/core/bytes.h"

namespace ward {

// Reads a regular file. Throws Error kNotFound (missing), kIo (unreadable, a folder) or kInvalid
// (larger than the cap).
Bytes read_file(const std::string& path, size_t max_bytes = size_t{1} << 32);
std::string read_text_file(const std::string& path, size_t max_bytes = size_t{1} << 28);

// A read-only view of a file. The bytes are those of the file: another process may change them
// meanwhile.
class MappedFile {
  public:
    explicit MappedFile(const std::string& path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    ByteView bytes() const { return {data_, size_}; }

  private:
    const uint8_t* data_ = nullptr;
    size_t size_ = 0;
};

// Writes next to the final name, which must be free or that of a regular file or link (a link is
// replaced, not followed), and renames on `commit`, after the bytes have reached the disk. Without
// a commit (an exception, a kill) the final name keeps what it had. Throws Error kIo with the
// system's reason, e.g. disk full.
class AtomicFile {
  public:
    enum class Readers { kEveryone, kOwner };  // as far as the umask allows

    explicit AtomicFile(std::string path, Readers readers = Readers::kEveryone);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(ByteView data);
    void write(std::string_view text);
    // Puts bytes `offset` behind the end of what `write` wrote; may be called by many threads at
    // once. After `advance` so many of them count as written.
    void write_at(uint64_t offset, ByteView data);
    void advance(uint64_t count);
    // Writes bytes of another open file; the system shares them between the files where it can
    // (reflinks) or copies them by itself. Throws Error kIo, also when that file ends before.
    void copy_from(int descriptor, uint64_t offset, uint64_t count);
    void commit();

  private:
    [[noreturn]] void fail(const std::string& what);

    std::string path_;
    std::string temporary_;
    int descriptor_ = -1;
    uint64_t position_ = 0;
    std::mutex writing_;
};

// Holds a lock file, made for its owner alone, until it goes. Throws Error kRefused when another
// process holds it, kIo when it cannot be made.
class FileLock {
  public:
    explicit FileLock(std::string path);
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

  private:
    std::string path_;
    int descriptor_ = -1;
};

void write_file_atomically(const std::string& path, ByteView data);
void write_file_atomically(const std::string& path, std::string_view text);

}  // namespace ward
