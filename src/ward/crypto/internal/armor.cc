#include "ward/crypto/internal/armor.h"

#include <algorithm>

#include "ward/core/error.h"
#include "ward/crypto/internal/encoding.h"

namespace ward::crypto::internal {
namespace {

constexpr std::string_view kBegin = "-----BEGIN AGE ENCRYPTED FILE-----";
constexpr std::string_view kEnd = "-----END AGE ENCRYPTED FILE-----";
constexpr size_t kColumns = 64;
constexpr size_t kLineBytes = 48;
constexpr size_t kMaxWhitespaceBytes = 1024;
constexpr std::string_view kWhitespace = " \t\r\n\v\f";

[[noreturn]] void fail(const std::string& what) {
    throw Error(ErrorCode::kCorrupt, "age armor: " + what);
}

std::string next_line(BufferedSource& text) {
    auto line = text.read_line(kMaxWhitespaceBytes);
    if (!line) fail("the text ends before its end marker, or has an overlong line");
    if (!line->text.empty() && line->text.back() == '\r' && line->ended) line->text.pop_back();
    return std::move(line->text);
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(kWhitespace) == std::string_view::npos;
}

}  // namespace

bool looks_armored(ByteView first_bytes) {
    const std::string_view text = text_of(first_bytes);
    for (size_t at = text.find("-----"); at != text.npos; at = text.find("-----", at + 1)) {
        if (text.substr(at).starts_with("-----BEGIN") ||
            text.substr(at).starts_with("----- BEGIN")) {
            return true;
        }
    }
    return false;
}

void ArmorSource::start() {
    size_t skipped = 0;
    std::string line = next_line(text_);
    for (; is_blank(line); line = next_line(text_)) {
        skipped += line.size() + 1;
        if (skipped > kMaxWhitespaceBytes) fail("too much white space in front");
    }
    if (line != kBegin) fail("the first line must be \"" + std::string(kBegin) + "\"");
    started_ = true;
}

void ArmorSource::expect_nothing_more() {
    const ByteView rest = text_.peek(kMaxWhitespaceBytes + 1);
    if (!is_blank(text_of(rest))) fail("other text follows the end marker");
    if (rest.size() > kMaxWhitespaceBytes) fail("too much white space behind");
    ended_ = true;
}

void ArmorSource::decode_line() {
    const std::string line = next_line(text_);
    if (line == kEnd) return expect_nothing_more();
    if (short_line_seen_) fail("only the last line may be shorter than 64 columns");
    if (line.empty() || line.size() > kColumns) {
        fail("lines must have 1 to 64 columns, got " + std::to_string(line.size()));
    }
    auto bytes = decode_base64(line, Base64::kPadded);
    if (!bytes) fail("a line is not canonical base64");
    line_ = std::move(*bytes);
    used_ = 0;
    short_line_seen_ = line_.size() < kLineBytes;
}

size_t ArmorSource::read(std::span<uint8_t> out) {
    if (!started_) start();
    size_t done = 0;
    while (done < out.size() && !ended_) {
        if (used_ == line_.size()) {
            decode_line();
            continue;
        }
        const size_t count = std::min(out.size() - done, line_.size() - used_);
        std::copy_n(line_.begin() + static_cast<std::ptrdiff_t>(used_), count,
                    out.begin() + static_cast<std::ptrdiff_t>(done));
        used_ += count;
        done += count;
    }
    return done;
}

void ArmorSink::put_lines(ByteView data) {
    std::string text;
    if (!started_) text = std::string(kBegin) + "\n";
    started_ = true;
    text.reserve(text.size() + data.size() / kLineBytes * (kColumns + 1) + kColumns);
    for (size_t i = 0; i < data.size(); i += kLineBytes) {
        text += base64(data.subspan(i, std::min(kLineBytes, data.size() - i)), Base64::kPadded);
        text += '\n';
    }
    out_.write(bytes_of(text));
}

void ArmorSink::write(ByteView data) {
    if (!rest_.empty()) {
        const size_t count = std::min(data.size(), kLineBytes - rest_.size());
        rest_.insert(rest_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
        data = data.subspan(count);
        if (rest_.size() < kLineBytes) return;
        put_lines(rest_);
        rest_.clear();
    }
    const size_t whole = data.size() / kLineBytes * kLineBytes;
    if (whole > 0) put_lines(data.first(whole));
    rest_.assign(data.begin() + static_cast<std::ptrdiff_t>(whole), data.end());
}

void ArmorSink::finish() {
    put_lines(rest_);
    rest_.clear();
    out_.write(bytes_of(std::string(kEnd) + "\n"));
}

}  // namespace ward::crypto::internal
