// A file (plain or gzip, told apart by content) or a buffer, read from front to back and hashed on
// the way. Used by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ward/core/bytes.h"
#include "ward/core/digest.h"

namespace ward::data::internal {

class ByteSource {
  public:
    // Throws Error kNotFound or kIo.
    static ByteSource open(const std::string& path);
    static ByteSource memory(ByteView content, std::string name);
    ByteSource(ByteSource&&) noexcept;
    ~ByteSource();

    // From now on bytes are read as Latin-1 and handed out as UTF-8; the digest stays that of the
    // file. Call before the first read.
    void decode_latin1() { latin1_ = true; }

    // Fills `out` as far as there are bytes; fewer than `size` only at the end. Throws Error kIo,
    // or kCorrupt for a damaged gzip stream.
    size_t read(uint8_t* out, size_t size);

    const std::string& name() const { return name_; }
    std::string digest();  // SHA-256 of all bytes read; call once, at the end

  private:
    struct GzipFile;
    explicit ByteSource(std::string name);

    size_t read_raw(uint8_t* out, size_t size);
    size_t read_decoded(uint8_t* out, size_t size);

    std::string name_;
    bool latin1_ = false;
    Bytes decoded_;  // not handed out yet, from decoded_at_ on
    size_t decoded_at_ = 0;
    std::unique_ptr<GzipFile> file_;
    ByteView memory_;
    Sha256 hash_;
};

// Content of a file, decompressed. Throws Error kInvalid above `max_bytes`.
Bytes read_content(const std::string& path, size_t max_bytes);

}  // namespace ward::data::internal
