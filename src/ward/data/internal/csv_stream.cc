#include "ward/data/internal/csv_stream.h"

#include <algorithm>
#include <cstring>

#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/data/internal/csv_scan.h"
#include "ward/data/internal/utf8.h"

namespace ward::data::internal {
namespace {

constexpr size_t kHeadroomBytes = size_t{64} << 10;  // room for the rest of the window before
constexpr size_t kPieceGrainBytes = size_t{64} << 10;

// A record without its line end.
std::string_view without_line_end(std::string_view text) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text, char delimiter) {
    while (!text.empty() && is_blank(text.front()) && text.front() != delimiter)
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()) && text.back() != delimiter)
        text.remove_suffix(1);
    return text;
}

// Takes the quotes off `text`; false when they do not pair up or stand inside a plain value.
bool unquote(std::string_view text, std::string* out) {
    if (!text.starts_with('"')) {
        *out = text;
        return text.find('"') == std::string_view::npos;
    }
    out->clear();
    for (size_t i = 1; i < text.size(); ++i) {
        if (text[i] != '"') {
            out->push_back(text[i]);
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
            out->push_back('"');
            ++i;
        } else {
            return i + 1 == text.size();
        }
    }
    return false;
}

}  // namespace

CsvRecord split_record(std::string_view text, const CsvFormat& format) {
    CsvRecord record;
    text = without_line_end(text);
    bool inside = false;
    size_t start = 0;
    for (size_t i = 0; i <= text.size(); ++i) {
        if (i < text.size() && text[i] == '"') inside = !inside;
        if (i < text.size() && (inside || text[i] != format.delimiter)) continue;
        std::string_view raw = text.substr(start, i - start);
        if (format.trim) raw = trimmed(raw, format.delimiter);
        std::string value;
        record.well_formed &= unquote(raw, &value);
        record.fields.push_back(std::move(value));
        start = i + 1;
    }
    record.well_formed &= !inside;
    return record;
}

std::string quoted_for_message(std::string_view text) {
    constexpr size_t kMost = 40;
    std::string out = "'";
    for (char c : text.substr(0, kMost)) {
        const auto code = static_cast<unsigned char>(c);
        out += code < 0x20 || code == 0x7f ? '?' : c;
    }
    if (text.size() > kMost) out += "...";
    return out + "'";
}

CsvStream::CsvStream(ByteSource source, const CsvFormat& format, const CsvOptions& options)
    : source_(std::move(source)),
      format_(format),
      options_(options),
      window_bytes_(std::max<size_t>(options.window_bytes, 1) *
                    static_cast<size_t>(num_threads())) {
    if (format.delimiter == '"' || format.delimiter == '\n' || format.delimiter == '\r' ||
        format.delimiter == '\0') {
        throw Error(ErrorCode::kUsage, "the delimiter cannot be a quote, a newline or NUL",
                    "--delimiter takes one character such as ',' ';' or '\\t'");
    }
    if (format.encoding == TextEncoding::kLatin1) source_.decode_latin1();
    start_reading();
    read_more();
    skip_prologue();
    take_first_record();
}

void CsvStream::fail(const std::string& what, const std::string& hint) const {
    throw Error(ErrorCode::kInvalid, source_.name() + " " + what, hint);
}

void CsvStream::start_reading() {
    spare_.bytes.resize(kHeadroomBytes + window_bytes_ + 1);  // + 1: a missing last newline
    const auto read = [this] {
        return source_.read(spare_.bytes.data() + kHeadroomBytes, window_bytes_);
    };
    // With one thread allowed the caller's thread reads, when it comes to that.
    reading_ = std::async(num_threads() > 1 ? std::launch::async : std::launch::deferred, read);
}

void CsvStream::finish_reading() {
    const size_t got = reading_.get();
    content_bytes_ += got;
    if (content_bytes_ > options_.max_content_bytes) {
        fail("holds more than " + std::to_string(options_.max_content_bytes) + " bytes",
             "raise the limit if the file is what you think it is");
    }
    at_end_ = got < window_bytes_;
    const size_t rest = current_.end - current_.begin;
    spare_.begin = kHeadroomBytes;
    spare_.end = kHeadroomBytes + got;
    if (rest > spare_.begin) {
        spare_.bytes.insert(spare_.bytes.begin(), rest - spare_.begin, 0);
        spare_.end += rest - spare_.begin;
        spare_.begin = rest;
    }
    spare_.begin -= rest;
    if (rest > 0) {
        std::memcpy(spare_.bytes.data() + spare_.begin, current_.bytes.data() + current_.begin,
                    rest);
    }
    std::swap(current_, spare_);
    const bool ends_in_newline =
        current_.end > current_.begin && current_.bytes[current_.end - 1] == '\n';
    if (at_end_ && !ends_in_newline && current_.end > current_.begin) {
        current_.bytes.resize(std::max(current_.bytes.size(), current_.end + 1));
        current_.bytes[current_.end++] = '\n';
    }
}

void CsvStream::read_more() {
    finish_reading();
    if (!at_end_) start_reading();
}

void CsvStream::skip_prologue() {
    const auto starts_with = [this](std::string_view mark) {
        return current_.end - current_.begin >= mark.size() &&
               std::memcmp(current_.bytes.data() + current_.begin, mark.data(), mark.size()) == 0;
    };
    if (starts_with("\xff\xfe") || starts_with("\xfe\xff")) {
        fail("is UTF-16 text, expected UTF-8", "convert it: iconv -f UTF-16 -t UTF-8 IN > OUT");
    }
    if (starts_with("\xef\xbb\xbf")) current_.begin += 3;
    int to_skip = format_.skip_lines;
    while (true) {
        const uint8_t* const begin = current_.bytes.data() + current_.begin;
        const size_t size = current_.end - current_.begin;
        if (size == 0 && at_end_) fail("holds no rows", "check that it is the right file");
        const auto* newline =
            size == 0 ? nullptr : static_cast<const uint8_t*>(std::memchr(begin, '\n', size));
        if (newline == nullptr) {
            if (at_end_ || size > options_.max_row_bytes) return;
            read_more();
            continue;
        }
        const std::string_view line(reinterpret_cast<const char*>(begin),
                                    static_cast<size_t>(newline - begin));
        const bool comment = format_.comment != '\0' && line.starts_with(format_.comment);
        const bool blank = without_line_end(line).empty();
        if (to_skip == 0 && !comment && !blank) return;
        if (to_skip > 0) --to_skip;
        current_.begin += line.size() + 1;
        ++line_;
    }
}

void CsvStream::take_first_record() {
    while (whole_records_end() == 0) {
        if (at_end_) fail_unterminated();
        read_more();
    }
    const uint8_t* const begin = current_.bytes.data() + current_.begin;
    const StretchSummary summary = scan_kernels().summarise(begin, current_.end - current_.begin);
    first_record_bytes_ = summary.first_boundary[0] + 1;
    const std::string_view text(reinterpret_cast<const char*>(begin), first_record_bytes_);
    if (without_line_end(text).find('\r') != std::string_view::npos &&
        text.find('"') == std::string_view::npos) {
        fail("line 1 holds a carriage return inside the line",
             "old Macintosh line ends? convert it: tr '\\r' '\\n' < IN > OUT");
    }
    first_record_ = split_record(text, format_);
    for (size_t i = 0; i < first_record_.fields.size(); ++i) {
        const std::string& field = first_record_.fields[i];
        const size_t bad = first_invalid_utf8(field);
        if (bad == field.size()) continue;
        fail("line " + std::to_string(line_) + ", column " + std::to_string(i + 1) + ": " +
                 not_utf8(field[bad]),
             encoding_hint());
    }
    first_record_line_ = line_;
    if (first_record_.fields.size() > options_.max_columns) {
        fail("has " + std::to_string(first_record_.fields.size()) + " columns, at most " +
                 std::to_string(options_.max_columns) + " are read",
             "check the delimiter");
    }
}

void CsvStream::skip_first_record() {
    const uint8_t* const begin = current_.bytes.data() + current_.begin;
    line_ += static_cast<uint64_t>(std::count(begin, begin + first_record_bytes_, '\n'));
    current_.begin += first_record_bytes_;
    first_record_bytes_ = 0;
}

size_t CsvStream::whole_records_end() {
    const uint8_t* const begin = current_.bytes.data() + current_.begin;
    const size_t size = current_.end - current_.begin;
    const size_t last = scan_kernels().summarise(begin, size).last_boundary[0];
    if (last != kNowhere) return last + 1;
    if (size > options_.max_row_bytes) {
        fail("line " + std::to_string(line_) + ": the row has more than " +
                 std::to_string(options_.max_row_bytes) + " bytes",
             "is a quote in it never closed?");
    }
    return 0;
}

// The state at the end is inside quotes: the record that begins at current_.begin never ends.
void CsvStream::fail_unterminated() {
    const uint8_t* at = current_.bytes.data() + current_.begin;
    const uint8_t* const end = current_.bytes.data() + current_.end;
    uint64_t line = line_;
    uint64_t opened = line_;
    bool inside = false;
    for (; at != end; ++at) {
        if (*at == '\n') ++line;
        if (*at != '"') continue;
        inside = !inside;
        if (inside) opened = line;
    }
    fail("line " + std::to_string(opened) + ": a quote is opened and never closed",
         "close it, or double a quote that belongs to the value (\"\")");
}

std::vector<CsvPiece> CsvStream::next() {
    while (true) {
        if (current_.begin == current_.end) {
            if (at_end_) return {};
            read_more();
            continue;
        }
        std::vector<CsvPiece> pieces =
            cut(current_.bytes.data() + current_.begin, current_.bytes.data() + current_.end);
        if (!pieces.empty()) {
            // The caller works on current_ while spare_ is being filled; finish_reading copies only
            // what lies behind the last piece.
            current_.begin = static_cast<size_t>(pieces.back().end - current_.bytes.data());
            return pieces;
        }
        if (at_end_) fail_unterminated();
        whole_records_end();  // throws for an endless row
        read_more();
    }
}

std::vector<CsvPiece> CsvStream::cut(const uint8_t* begin, const uint8_t* end) {
    const auto size = static_cast<int64_t>(end - begin);
    const int64_t parts =
        std::clamp<int64_t>(size / static_cast<int64_t>(kPieceGrainBytes), 1, num_threads());
    const auto offset = [&](int64_t part) { return static_cast<size_t>(size * part / parts); };
    std::vector<StretchSummary> found(static_cast<size_t>(parts));
    parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            found[static_cast<size_t>(i)] =
                scan_kernels().summarise(begin + offset(i), offset(i + 1) - offset(i));
        }
    });
    // A stretch contributes records up to its last boundary; what follows belongs to the next one.
    std::vector<CsvPiece> pieces;
    const uint8_t* piece_begin = begin;
    size_t inside = 0;
    for (int64_t i = 0; i < parts; ++i) {
        const StretchSummary& stretch = found[static_cast<size_t>(i)];
        if (stretch.last_boundary[inside] != kNowhere) {
            const uint8_t* piece_end = begin + offset(i) + stretch.last_boundary[inside] + 1;
            pieces.push_back({piece_begin, piece_end, 0, 0});
            piece_begin = piece_end;
        }
        inside ^= stretch.quotes & 1;
    }
    parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t first, int64_t last) {
        for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
            const auto bytes = static_cast<size_t>(pieces[i].end - pieces[i].begin);
            pieces[i].newlines = scan_kernels().summarise(pieces[i].begin, bytes).newlines;
        }
    });
    for (CsvPiece& piece : pieces) {
        piece.first_line = line_;
        line_ += piece.newlines;
    }
    return pieces;
}

}  // namespace ward::data::internal
