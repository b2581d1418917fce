// Windows of whole CSV records, cut into one piece per thread; the next window is read (inflated,
// hashed) while the caller parses this one.
#pragma once

#include <cstdint>
#include <future>
#include <string>
#include <string_view>
#include <vector>

#include "ward/data/csv.h"
#include "ward/data/internal/byte_source.h"

namespace ward::data::internal {

// Whole records; the last one ends in a newline.
struct CsvPiece {
    const uint8_t* begin;
    const uint8_t* end;
    uint64_t first_line;  // 1-based line number of `begin`
    size_t newlines;      // in the piece: no fewer than its records
};

// One record taken apart, slowly; for headers and error messages. `well_formed` is false for a
// stray or unterminated quote.
struct CsvRecord {
    std::vector<std::string> fields;
    bool well_formed = true;
};
CsvRecord split_record(std::string_view text, const CsvFormat& format);

// Text from a file made fit for an error message: shortened, without control characters.
std::string quoted_for_message(std::string_view text);

class CsvStream {
  public:
    // Reads up to the first record. Throws Error kInvalid for an empty or unreadable input.
    CsvStream(ByteSource source, const CsvFormat& format, const CsvOptions& options);
    CsvStream(const CsvStream&) = delete;
    CsvStream& operator=(const CsvStream&) = delete;

    // The first record (the header, where there is one) and its line; it is part of the pieces
    // unless `skip_first_record` was called.
    const CsvRecord& first_record() const { return first_record_; }
    uint64_t first_record_line() const { return first_record_line_; }
    void skip_first_record();

    // The pieces of the next window; none at the end. They stay valid until the next call.
    std::vector<CsvPiece> next();

    const std::string& name() const { return source_.name(); }
    std::string digest() { return source_.digest(); }  // after the end

  private:
    struct Buffer {
        std::vector<uint8_t> bytes;
        size_t begin = 0;
        size_t end = 0;
    };

    void start_reading();   // fills spare_ behind its headroom, on another thread if there is one
    void finish_reading();  // joins, moves the rest of current_ in front, swaps
    void read_more();       // one more window; current_ grows when it holds no whole record
    void skip_prologue();   // byte order mark, comments, blank lines
    void take_first_record();
    size_t whole_records_end();  // after the last newline outside quotes, 0 when there is none
    std::vector<CsvPiece> cut(const uint8_t* begin, const uint8_t* end);
    [[noreturn]] void fail_unterminated();
    [[noreturn]] void fail(const std::string& what, const std::string& hint) const;

    ByteSource source_;
    CsvFormat format_;
    CsvOptions options_;
    size_t window_bytes_;
    Buffer current_;
    Buffer spare_;
    // Fills spare_ from source_; declared behind them, because its destructor waits for the reader.
    std::future<size_t> reading_;
    bool at_end_ = false;  // the source has no more bytes
    uint64_t content_bytes_ = 0;
    uint64_t line_ = 1;  // of current_.begin
    CsvRecord first_record_;
    size_t first_record_bytes_ = 0;
    uint64_t first_record_line_ = 1;
};

}  // namespace ward::data::internal
