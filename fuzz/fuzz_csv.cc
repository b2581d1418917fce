// Any bytes as CSV: typed, untyped and by a schema. The first bytes choose delimiter, header,
// comments, window and threads, and what is read must not depend on the last two.
#include <cstdlib>
#include <string>

#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/data/csv.h"
#include "ward/data/encode.h"

namespace {

using namespace ward;
using namespace ward::data;

// The digest of what was read, or the error.
std::string outcome(ByteView content, const Schema& schema, size_t window, int threads) {
    set_num_threads(threads);
    CsvOptions options;
    options.window_bytes = window;
    options.row_hashes = true;
    try {
        const Table table = parse_csv(content, "f", schema, options);
        const Encoded encoded = encode(table, schema);
        std::string out = encoded.data.digest + std::to_string(table.rows);
        for (float value : encoded.data.inputs) out += std::to_string(value);
        for (uint64_t hash : table.row_hashes) out += std::to_string(hash);
        return out;
    } catch (const Error& error) {
        return error.message();
    }
}

Schema make_schema(uint8_t flags) {
    static const Schema declared = parse_schema(
        "ward_schema: 1\ncolumns:\n"
        " - {name: a, kind: numeric, min: 0, max: 9, missing: category}\n"
        " - {name: b, kind: categorical, categories: [x, y], missing: category, unknown: "
        "category}\n"
        " - {name: c, kind: integer, min: 0, max: 9, missing: {impute: 1}}\n"
        " - {name: g, kind: group}\n - {name: n, kind: ignored}\n",
        "schema");
    Schema schema = declared;
    schema.format.delimiter = ",;\t|"[flags & 3];
    schema.format.header = (flags & 4) != 0;
    schema.format.trim = (flags & 8) != 0;
    if ((flags & 16) != 0) schema.format.comment = '#';
    schema.format.skip_lines = (flags & 32) != 0 ? 1 : 0;
    return schema;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const Schema schema = make_schema(data[0]);
    const ByteView content(data + 2, size - 2);
    if (outcome(content, schema, 1 << 16, 1) != outcome(content, schema, 1 + data[1], 3))
        std::abort();
    set_num_threads(1);
    try {
        const Table table = parse_csv_untyped(content, "f", schema.format);
        validate(infer_schema(table, ""));
    } catch (const Error&) {
    }
    return 0;
}
