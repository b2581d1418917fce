// A source read by lines and by blocks. Not thread-safe.
#pragma once

#include <optional>
#include <string>

#include "ward/crypto/stream.h"

namespace ward::crypto::internal {

class BufferedSource : public ByteSource {
  public:
    // `source` must outlive this object.
    explicit BufferedSource(ByteSource& source) : source_(source) {}

    size_t read(std::span<uint8_t> out) override;
    std::optional<uint64_t> remaining() const override;
    size_t read_at(uint64_t offset, std::span<uint8_t> out) const override;
    ByteView view_at(uint64_t offset, size_t count) const override;
    std::optional<FilePlace> file_place() const override;

    struct Line {
        std::string text;    // without its '\n'
        bool ended = false;  // by '\n', not by the end of the source
    };
    // The next line; nothing at the end of the source or when the line has more than `max_bytes`.
    std::optional<Line> read_line(size_t max_bytes);

    // The next bytes without taking them; fewer than asked for at the end of the source.
    ByteView peek(size_t count);

  private:
    ByteSource& source_;
    Bytes buffer_;
    size_t begin_ = 0;
};

}  // namespace ward::crypto::internal
