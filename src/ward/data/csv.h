// CSV into typed columns: streaming, parallel, strict.
//
// RFC 4180 with any one-byte delimiter: quoted fields with delimiters, newlines and doubled quotes,
// LF or CRLF, UTF-8 byte order mark, header or none, gzip by content. Blank lines are skipped.
// Bytes that are not UTF-8 are an error, unless the format says Latin-1, which is then read as
// such. Comment lines are skipped too; one that is not at the beginning must not hold a lone quote.
//
// How: the input is read in windows of a few MiB (memory beyond the table is constant), a first
// SIMD pass finds record boundaries that are outside quotes, then every thread indexes delimiters
// and newlines of its piece by SIMD and parses fields. The result does not depend on the threads.
//
// Threat: the file is untrusted; lengths are capped, nothing is executed. Error messages quote the
// offending value: treat them as you treat the data. Thread safety: free functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "ward/core/bytes.h"
#include "ward/data/schema.h"
#include "ward/data/table.h"

namespace ward::data {

struct CsvOptions {
    // false: rows to predict; the label is not read, label and group columns may be absent
    bool labels_required = true;
    bool row_hashes = false;                  // fill Table::row_hashes
    size_t window_bytes = size_t{2} << 20;    // per thread
    size_t max_row_bytes = size_t{16} << 20;  // longer rows are refused
    size_t max_columns = 65536;
    uint64_t max_content_bytes = uint64_t{1} << 40;  // after decompression
};

// All rows. Columns of the table are those of the schema that are not ignored, in its order; with a
// header they are found by name and others are skipped, without one by position. Throws Error
// kNotFound, kIo, kCorrupt (gzip), or kInvalid with file, line, column, value and remedy.
Table read_csv(const std::string& path, const Schema& schema, const CsvOptions& options = {});
Table parse_csv(ByteView content, const std::string& source, const Schema& schema,
                const CsvOptions& options = {});

// The same rows window by window, in order, for what need not hold all of them. Returns the rows.
int64_t for_each_csv_batch(const std::string& path, const Schema& schema, const CsvOptions& options,
                           const std::function<void(Table&&)>& consume);

// Without a schema: a column is of numbers when all its values are numbers or missing, else of
// categories; `text_column` (may be empty) is of categories in any case. Reads the file twice.
Table read_csv_untyped(const std::string& path, const CsvFormat& format,
                       const std::string& text_column = {}, const CsvOptions& options = {});
Table parse_csv_untyped(ByteView content, const std::string& source, const CsvFormat& format,
                        const std::string& text_column = {}, const CsvOptions& options = {});

}  // namespace ward::data
