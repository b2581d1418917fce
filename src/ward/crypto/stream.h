// Where bytes come from and where they go: files, standard input and output, memory.
//
// The formats of this module are written against these two interfaces, so that a file of any size
// is worked on in constant memory. Thread safety: one thread at a time for each object.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ward/core/bytes.h"
#include "ward/core/file.h"

namespace ward::crypto {

class ByteSource {
  public:
    virtual ~ByteSource() = default;

    // Fills `out` from its front and returns how many bytes it put there; fewer than asked for
    // mean that the source has ended. Throws Error kIo.
    virtual size_t read(std::span<uint8_t> out) = 0;

    // Sources whose bytes have known places let several threads read at once. `remaining`: how many
    // follow; nothing when that is unknown. `read_at` reads from `offset` bytes ahead and takes
    // nothing; it may be called by many threads, but not while another one calls `read`.
    virtual std::optional<uint64_t> remaining() const { return std::nullopt; }
    virtual size_t read_at(uint64_t offset, std::span<uint8_t> out) const;

    // The same bytes in place, from memory that nobody changes meanwhile; empty when there is none.
    virtual ByteView view_at(uint64_t offset, size_t count) const;

    // The file and the place in it of the next byte, for copies that the system makes by itself.
    struct FilePlace {
        int descriptor = -1;
        uint64_t offset = 0;
    };
    virtual std::optional<FilePlace> file_place() const { return std::nullopt; }
};

class ByteSink {
  public:
    virtual ~ByteSink() = default;

    // Takes all bytes. Throws Error kIo.
    virtual void write(ByteView data) = 0;

    // The same for writing: places behind what `write` wrote. After `advance` what was put there
    // counts as written. `write_at` may be called by many threads.
    virtual bool has_places() const { return false; }
    virtual void write_at(uint64_t offset, ByteView data);
    virtual void advance(uint64_t count);

    // The memory of such places, to be written directly; empty when there is none.
    virtual std::span<uint8_t> room_at(uint64_t offset, size_t count);

    // Writes bytes of a file; false, and nothing is done, when this sink is no file.
    virtual bool copy_from(const ByteSource::FilePlace& place, uint64_t count);
};

// All that is left of `in`.
void copy_rest(ByteSource& in, ByteSink& out);

// A view of memory that must outlive the source and stay as it is: map no file here that others may
// change while it is decrypted.
class MemorySource : public ByteSource {
  public:
    explicit MemorySource(ByteView data) : rest_(data) {}
    explicit MemorySource(Bytes&&) = delete;
    size_t read(std::span<uint8_t> out) override;
    std::optional<uint64_t> remaining() const override { return rest_.size(); }
    size_t read_at(uint64_t offset, std::span<uint8_t> out) const override;
    ByteView view_at(uint64_t offset, size_t count) const override;

  private:
    ByteView rest_;
};

class MemorySink : public ByteSink {
  public:
    void write(ByteView data) override { bytes_.insert(bytes_.end(), data.begin(), data.end()); }
    const Bytes& bytes() const { return bytes_; }
    Bytes take() { return std::move(bytes_); }

  private:
    Bytes bytes_;
};

// Wiped memory for secrets and plaintext.
class SecretSink : public ByteSink {
  public:
    // Takes the room at once. Writing more throws Error kInvalid.
    explicit SecretSink(size_t max_bytes) : room_(max_bytes) {}
    void write(ByteView data) override;
    bool has_places() const override { return true; }
    void write_at(uint64_t offset, ByteView data) override;
    void advance(uint64_t count) override;
    std::span<uint8_t> room_at(uint64_t offset, size_t count) override;
    ByteView bytes() const { return room_.reveal().first(used_); }

  private:
    void require_room(uint64_t count) const;

    SecretBytes room_;
    size_t used_ = 0;
};

// A file by its path, or standard input under the name "-".
class FileSource : public ByteSource {
  public:
    // Throws Error kNotFound or kIo.
    explicit FileSource(const std::string& path);
    ~FileSource() override;
    FileSource(const FileSource&) = delete;
    FileSource& operator=(const FileSource&) = delete;

    size_t read(std::span<uint8_t> out) override;
    std::optional<uint64_t> remaining() const override;  // of regular files
    size_t read_at(uint64_t offset, std::span<uint8_t> out) const override;
    std::optional<FilePlace> file_place() const override;

  private:
    std::string path_;
    int descriptor_ = -1;
};

// A file that appears under its name on `commit` only (core/file.h), or standard output under the
// name "-", which gets its bytes at once.
class FileSink : public ByteSink {
  public:
    explicit FileSink(const std::string& path);
    void write(ByteView data) override;
    bool has_places() const override { return file_ != nullptr; }
    void write_at(uint64_t offset, ByteView data) override;
    void advance(uint64_t count) override;
    bool copy_from(const ByteSource::FilePlace& place, uint64_t count) override;
    void commit();

  private:
    std::unique_ptr<AtomicFile> file_;  // null: standard output
};

}  // namespace ward::crypto
