#include "ward/crypto/internal/buffered_source.h"

#include <algorithm>

namespace ward::crypto::internal {
namespace {
constexpr size_t kReadBytes = 4096;
}

ByteView BufferedSource::peek(size_t count) {
    const size_t have = buffer_.size() - begin_;
    if (have < count) {
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
        begin_ = 0;
        const size_t wanted = std::max(count - have, kReadBytes);
        buffer_.resize(have + wanted);
        buffer_.resize(have + source_.read(std::span(buffer_).subspan(have)));
    }
    return ByteView(buffer_).subspan(begin_, std::min(count, buffer_.size() - begin_));
}

size_t BufferedSource::read(std::span<uint8_t> out) {
    const size_t count = std::min(out.size(), buffer_.size() - begin_);
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), count, out.begin());
    begin_ += count;
    if (count == out.size()) return count;
    return count + source_.read(out.subspan(count));
}

std::optional<uint64_t> BufferedSource::remaining() const {
    const auto behind = source_.remaining();
    if (!behind) return std::nullopt;
    return buffer_.size() - begin_ + *behind;
}

size_t BufferedSource::read_at(uint64_t offset, std::span<uint8_t> out) const {
    const ByteView buffered = ByteView(buffer_).subspan(begin_);
    if (offset >= buffered.size()) return source_.read_at(offset - buffered.size(), out);
    const size_t count = std::min(out.size(), buffered.size() - offset);
    std::copy_n(buffered.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
    return count == out.size() ? count : count + source_.read_at(0, out.subspan(count));
}

// Without the first bytes, which are in the buffer, a copy is as good as a view.
ByteView BufferedSource::view_at(uint64_t offset, size_t count) const {
    const size_t buffered = buffer_.size() - begin_;
    return offset < buffered ? ByteView() : source_.view_at(offset - buffered, count);
}

// What the buffer holds stands in the file just before the next byte of the source.
std::optional<ByteSource::FilePlace> BufferedSource::file_place() const {
    auto place = source_.file_place();
    if (place) place->offset -= buffer_.size() - begin_;
    return place;
}

std::optional<BufferedSource::Line> BufferedSource::read_line(size_t max_bytes) {
    Line line;
    while (true) {
        const ByteView next = peek(1);
        if (next.empty()) {
            if (line.text.empty()) return std::nullopt;
            return line;
        }
        const auto first = buffer_.begin() + static_cast<std::ptrdiff_t>(begin_);
        const auto end = std::find(first, buffer_.end(), uint8_t{'\n'});
        line.text.append(first, end);
        if (line.text.size() > max_bytes) return std::nullopt;
        begin_ += static_cast<size_t>(end - first);
        if (end == buffer_.end()) continue;
        ++begin_;
        line.ended = true;
        return line;
    }
}

}  // namespace ward::crypto::internal
