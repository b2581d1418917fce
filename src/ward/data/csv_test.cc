#include "ward/data/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/parallel.h"
#include "ward/data/internal/csv_scan.h"
#include "ward/data/internal/number.h"

namespace ward::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ByteView bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

ColumnSchema number(const std::string& name, ColumnKind kind = ColumnKind::kNumeric) {
    ColumnSchema column;
    column.name = name;
    column.kind = kind;
    column.min = 0;
    column.max = 100;
    return column;
}

ColumnSchema category(const std::string& name, std::vector<std::string> categories,
                      ColumnKind kind = ColumnKind::kCategorical) {
    ColumnSchema column;
    column.name = name;
    column.kind = kind;
    column.categories = std::move(categories);
    return column;
}

// age (number), city (category), y (label).
Schema people() {
    Schema schema;
    schema.columns = {number("age"), category("city", {"Rome", "Bonn, old", "say \"hi\""}),
                      category("y", {"no", "yes"}, ColumnKind::kLabel)};
    return schema;
}

Table parse(const std::string& text, const Schema& schema, CsvOptions options = {}) {
    return parse_csv(bytes(text), "t.csv", schema, options);
}

std::string parse_error(const std::string& text, const Schema& schema,
                        ErrorCode code = ErrorCode::kInvalid, CsvOptions options = {}) {
    try {
        parse(text, schema, options);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.message();
        EXPECT_EQ(error.message().find('\n'), std::string::npos);
        return error.message() + " | " + error.hint();
    }
    ADD_FAILURE() << "expected an error for " << text;
    return {};
}

TEST(Csv, ReadsQuotesNewlinesAndDoubledQuotes) {
    const Table table = parse(
        "age,city,y\r\n"
        "1.5,\"Bonn, old\",no\r\n"
        "2,\"say \"\"hi\"\"\",\"yes\"\r\n"
        "\"3\", Rome , yes\n",
        people());
    EXPECT_EQ(table.rows, 3);
    EXPECT_THAT(table.find("age")->numbers, ElementsAre(1.5, 2, 3));
    EXPECT_THAT(table.find("city")->codes, ElementsAre(1, 2, 0));
    EXPECT_THAT(table.find("y")->codes, ElementsAre(0, 1, 1));
}

TEST(Csv, QuotedNewlinesBelongToTheValue) {
    Schema schema = people();
    schema.columns[1].categories = {"two\nlines"};
    const Table table = parse("age,city,y\n1,\"two\nlines\",no\n2,\"two\nlines\",yes", schema);
    EXPECT_THAT(table.find("city")->codes, ElementsAre(0, 0));
}

TEST(Csv, FindsColumnsByNameInAnyOrderAndSkipsOthers) {
    const Table table = parse("y,unused,city,age\nno,?,Rome,7\n", people());
    EXPECT_EQ(table.columns[0].name, "age");
    EXPECT_THAT(table.columns[0].numbers, ElementsAre(7));
    EXPECT_EQ(table.columns.size(), 3u);
}

TEST(Csv, ByteOrderMarkCommentsBlankAndSkippedLines) {
    Schema schema = people();
    schema.format.comment = '#';
    schema.format.skip_lines = 1;
    const Table table = parse(
        "\xef\xbb\xbf"
        "3,4,odd \" line\n\n# it's \"one\n"
        "age,city,y\n\n1,Rome,no\n# more\n  \n2,Rome,yes\n\n",
        schema);
    EXPECT_THAT(table.find("age")->numbers, ElementsAre(1, 2));
}

TEST(Csv, WithoutHeaderByPosition) {
    Schema schema = people();
    schema.format.header = false;
    schema.format.delimiter = '\t';
    const Table table = parse("1\tRome\tno\n2\t\"Bonn, old\"\tyes", schema);
    EXPECT_THAT(table.find("city")->codes, ElementsAre(0, 1));
}

TEST(Csv, MissingUnknownAliasesAndLabelsToPredict) {
    Schema schema = people();
    schema.columns[0].missing = MissingPolicy::kCategory;
    schema.columns[1].missing = MissingPolicy::kCategory;
    schema.columns[1].unknown = UnknownPolicy::kCategory;
    schema.columns[2].aliases = {{"yes.", "yes"}};
    const Table table = parse("age,city,y\n,?,yes.\nNA,Paris,no\n", schema);
    EXPECT_TRUE(std::isnan(table.find("age")->numbers[0]));
    EXPECT_EQ(table.find("age")->missing(), 2);
    EXPECT_THAT(table.find("city")->codes, ElementsAre(kMissingCode, kUnknownCode));
    EXPECT_THAT(table.find("y")->codes, ElementsAre(1, 0));

    CsvOptions to_predict;
    to_predict.labels_required = false;
    EXPECT_EQ(parse("age,city\n1,Rome\n", schema, to_predict).find("y"), nullptr);
    EXPECT_THAT(parse_error("age,city\n1,Rome\n", schema, ErrorCode::kNotFound),
                HasSubstr("t.csv line 1: the header has no column 'y'"));
    schema.format.header = false;
    EXPECT_EQ(parse("1,Rome\n", schema, to_predict).rows, 1);
    EXPECT_EQ(parse("1,Rome,\n", schema, to_predict).find("y"), nullptr);
    EXPECT_EQ(parse("1,Rome,pending\n", schema, to_predict).rows, 1);
    schema.format.header = true;
    EXPECT_EQ(parse("age,city,y\n1,Rome,\n", schema, to_predict).find("y"), nullptr);
    schema.columns.push_back(number("who", ColumnKind::kGroup));
    EXPECT_EQ(parse("age,city,y\n1,Rome,\n", schema, to_predict).find("who"), nullptr);
    EXPECT_EQ(parse("age,city,who\n1,Rome,7\n", schema, to_predict).find("who")->ids[0], 7);
    EXPECT_THAT(parse_error("age,city,y\n1,Rome,no\n", schema, ErrorCode::kNotFound),
                HasSubstr("no column 'who'"));
}

TEST(Csv, GroupsAreNumbersOrHashes) {
    Schema schema;
    schema.columns = {number("x"), number("who", ColumnKind::kGroup)};
    const Table table = parse("x,who\n1,42\n2,anna\n3,anna\n4,bert\n", schema);
    const std::vector<int64_t>& ids = table.find("who")->ids;
    EXPECT_EQ(ids[0], 42);
    EXPECT_EQ(ids[1], ids[2]);
    EXPECT_NE(ids[1], ids[3]);
    EXPECT_GE(ids[1], 0);
}

TEST(CsvErrors, NameFileLineColumnValueAndRemedy) {
    const std::string head = "age,city,y\n1,Rome,no\n";
    EXPECT_THAT(parse_error(head + "2,Rome\n", people()),
                HasSubstr("t.csv line 3 has 2 fields, the header has 3"));
    EXPECT_THAT(parse_error(head + "2,Rome,no,7\n", people()), HasSubstr("line 3 has 4 fields"));
    EXPECT_THAT(parse_error(head + "2;Rome;no\n", people()),
                HasSubstr("line 3 has 1 field, the header has 3 | is the delimiter ';'? "
                          "(--delimiter)"));
    EXPECT_THAT(parse_error("age;city;y\n1;Rome;no\n", people(), ErrorCode::kNotFound),
                HasSubstr("is the delimiter ';'? (--delimiter)"));
    EXPECT_THAT(parse_error(head + "abc,Rome,no\n", people()),
                HasSubstr("t.csv line 3, column 1 (age): expected a number, got 'abc'"));
    EXPECT_THAT(parse_error(head + "NaN,Rome,no\n", people()),
                HasSubstr("line 3, column 1 (age): expected a finite number, got 'NaN'"));
    EXPECT_THAT(parse_error(head + "-inf,Rome,no\n", people()), HasSubstr("got '-inf'"));
    EXPECT_THAT(parse_error(head + "1e999,Rome,no\n", people()), HasSubstr("finite number"));
    EXPECT_THAT(parse_error(head + "?,Rome,no\n", people()),
                HasSubstr("line 3, column 1 (age): the value is missing | declare missing:"));
    EXPECT_THAT(parse_error(head + "1,Paris,no\n", people()),
                HasSubstr("column 2 (city): unknown category 'Paris', expected one of Rome"));
    EXPECT_THAT(parse_error(head + "1,Rome,maybe\n", people()),
                HasSubstr("line 3, column 3 (y): unknown class 'maybe', expected one of no, yes | "
                          "add it to the classes"));
    EXPECT_THAT(parse_error(head + "1,Rome,\n", people()), HasSubstr("the value is missing"));
}

TEST(CsvErrors, Quotes) {
    const std::string head = "age,city,y\n";
    EXPECT_THAT(parse_error(head + "1,\"Rome,no\n2,Rome,no\n", people()),
                HasSubstr("t.csv line 2: a quote is opened and never closed"));
    EXPECT_THAT(parse_error(head + "1,Ro\"m\"e,no\n", people()),
                HasSubstr("line 2, column 2 (city): has a quote inside an unquoted value"));
    EXPECT_THAT(parse_error(head + "1,\"Rome\"x,no\n", people()),
                HasSubstr("text after a closing quote"));
    EXPECT_THAT(parse_error(head + "1,\"a\"b\"c\",no\n", people()),
                HasSubstr("text after a closing quote"));
    CsvOptions small;
    small.window_bytes = 64;
    small.max_row_bytes = 300;
    EXPECT_THAT(parse_error(head + "1,\"" + std::string(1000, 'x') + "\",no\n", people(),
                            ErrorCode::kInvalid, small),
                HasSubstr("line 2: the row has more than 300 bytes | is a quote in it never"));
}

TEST(CsvErrors, LinesCountQuotedNewlines) {
    Schema schema = people();
    schema.columns[1].categories = {"a\nb"};
    EXPECT_THAT(parse_error("age,city,y\n1,\"a\nb\",no\nx,\"a\nb\",no\n", schema),
                HasSubstr("line 4, column 1"));
}

TEST(CsvErrors, HeadersAndFiles) {
    EXPECT_THAT(parse_error("", people()), HasSubstr("t.csv holds no rows"));
    EXPECT_THAT(parse_error("age,city,y\n", people()), HasSubstr("t.csv holds no rows"));
    EXPECT_THAT(parse_error("age,age,y\n1,2,3\n", people()),
                HasSubstr("line 1: two columns are called 'age'"));
    EXPECT_THAT(parse_error(std::string("\xff\xfe") + "a", people()), HasSubstr("UTF-16"));
    EXPECT_THAT(parse_error("age,city,y\r1,Rome,no\r", people()), HasSubstr("carriage return"));
    Schema by_position = people();
    by_position.format.header = false;
    EXPECT_THAT(parse_error("1,Rome\n", by_position),
                HasSubstr("t.csv line 1 has 2 fields, the schema has 3"));
    by_position.format.delimiter = '"';
    EXPECT_THAT(parse_error("1\n", by_position, ErrorCode::kUsage), HasSubstr("delimiter"));
    CsvOptions tiny;
    tiny.max_columns = 2;
    EXPECT_THAT(parse_error("age,city,y\n1,Rome,no\n", people(), ErrorCode::kInvalid, tiny),
                HasSubstr("has 3 columns, at most 2"));
    tiny = {};
    tiny.max_content_bytes = 10;
    EXPECT_THAT(parse_error("age,city,y\n1,Rome,no\n", people(), ErrorCode::kInvalid, tiny),
                HasSubstr("holds more than 10 bytes"));
    EXPECT_THROW(read_csv("/nonexistent.csv", people()), Error);
    EXPECT_THROW(read_csv("/tmp", people()), Error);
}

TEST(CsvErrors, BytesThatAreNotUtf8HaveAPlaceAndARemedy) {
    EXPECT_EQ(parse_error("age,city,y\n1,Rome,no\n2,K\xf6ln,no\n", people()),
              "t.csv line 3, column 2 (city): byte 0xF6 is not UTF-8 text | if the file is Latin-1 "
              "pass --encoding latin1; else convert it: iconv -f ENCODING -t UTF-8 IN > OUT");
    EXPECT_THAT(parse_error("age,caf\xe9\n", people()),
                HasSubstr("t.csv line 1, column 2: byte 0xE9 is not UTF-8 text"));
    // Behind quoted delimiters and newlines; in a column that is read over.
    EXPECT_THAT(
        parse_error("age,city,y,\"n\"\n1,\"Bonn, old\",no,\"a,\n\xc3\xa9,\xe9\"\n", people()),
        HasSubstr("t.csv line 3, column 4 (n): byte 0xE9"));
    for (const char* bad :
         {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3"})
        EXPECT_THAT(parse_error(std::string("age,city,y,n\n1,Rome,no,") + bad + "\n", people()),
                    HasSubstr("line 2, column 4 (n)"));
}

TEST(Csv, Latin1IsReadOnRequestAndUtf8Always) {
    Schema schema = people();
    schema.columns[1].categories = {"K\xc3\xb6ln"};
    const Table utf8 = parse("age,city,y\n1,K\xc3\xb6ln,no\n", schema);
    EXPECT_EQ(utf8.columns[1].codes, std::vector<int32_t>{0});
    schema.format.encoding = TextEncoding::kLatin1;
    std::string text = "age,city,y\n";
    for (int i = 0; i < 50'000; ++i) text += "1,K\xf6ln,no\n";  // many times the decoder's step
    const Table latin1 = parse(text, schema);
    EXPECT_EQ(latin1.rows, 50'000);
    EXPECT_EQ(latin1.columns[1].codes, std::vector<int32_t>(50'000, 0));
    EXPECT_EQ(latin1.digest, sha256_hex(text)) << "the digest is that of the file";
    EXPECT_EQ(schema_to_json(parse_schema(schema_to_yaml(schema), "s")), schema_to_json(schema));
}

TEST(CsvErrors, TheFirstFaultOfTheFileWinsForAnyThreadCount) {
    std::string text = "age,city,y\n";
    for (int i = 0; i < 60000; ++i)
        text += i == 20000                  ? "early,Rome,no\n"
                : i > 30000 && i % 100 == 0 ? "late,Rome,no\n"
                                            : "1,Rome,no\n";
    CsvOptions options;
    options.window_bytes = 90000;  // the fault is some windows and pieces behind the beginning
    for (int threads : {1, 3}) {
        set_num_threads(threads);
        EXPECT_THAT(parse_error(text, people(), ErrorCode::kInvalid, options),
                    HasSubstr("line 20002, column 1 (age): expected "
                              "a number, got 'early'"));
    }
    set_num_threads(2);
}

// Random tables written by an independent writer and read back through tiny windows, so that
// records and quotes straddle every kind of border.
TEST(Csv, ReadsWhatWasWrittenForAnyWindowAndThreadCount) {
    std::mt19937 random(5);
    const std::vector<std::string> pool = {
        "",     "a",    "x,y",  "line\nbreak",
        "q\"q", "\r\n", "\"\"", "long value with, commas and \"quotes\"\n\n"};
    Schema schema;
    schema.columns = {number("n"), category("t", pool), number("m", ColumnKind::kInteger)};
    schema.columns[1].missing = MissingPolicy::kCategory;
    schema.columns[2].missing = MissingPolicy::kCategory;
    schema.format.header = false;
    std::string text;
    std::vector<double> numbers;
    std::vector<int32_t> codes;
    for (int row = 0; row < 200; ++row) {
        numbers.push_back(static_cast<double>(random() % 100000) / 8);
        codes.push_back(static_cast<int32_t>(random() % pool.size()));
        text += std::to_string(numbers.back()) + ",\"";
        for (char c : pool[codes.back()]) text += c == '"' ? "\"\"" : std::string(1, c);
        text += random() % 2 == 0 ? "\"," : "\", ";
        text += random() % 2 == 0 ? "7\n" : "\r\n";
    }
    for (int threads : {1, 2, 5}) {
        set_num_threads(threads);
        for (size_t window : {5, 64, 1000, 1 << 20}) {
            CsvOptions options;
            options.window_bytes = window;
            const Table table = parse(text, schema, options);
            EXPECT_EQ(table.columns[0].numbers, numbers) << window << " " << threads;
            EXPECT_EQ(table.columns[1].codes, codes) << window << " " << threads;
            EXPECT_EQ(table.digest, sha256_hex(std::string_view(text)));
        }
    }
    set_num_threads(2);
}

// Windows large enough to be cut for several threads, with cuts inside quotes that hold newlines.
TEST(Csv, PiecesBeginOutsideQuotes) {
    Schema schema = people();
    schema.columns[1].categories = {"a\n1,a,no\nb", "\"\n\n"};
    std::string text = "age,city,y\n";
    for (int i = 0; i < 20000; ++i)
        text += std::to_string(i % 90) +
                (i % 3 == 0 ? ",\"a\n1,a,no\nb\",no\n" : ",\"\"\"\n\n\",yes\n");
    set_num_threads(1);
    const Table one = parse(text, schema);
    EXPECT_EQ(one.rows, 20000);
    for (int threads : {2, 3, 5, 7}) {
        set_num_threads(threads);
        const Table many = parse(text, schema);
        EXPECT_EQ(many.columns[0].numbers, one.columns[0].numbers);
        EXPECT_EQ(many.columns[1].codes, one.columns[1].codes);
    }
    set_num_threads(2);
}

TEST(Csv, UntypedFindsKindsAndMergesDictionariesInFileOrder) {
    std::string text = "a,b,c\n";
    for (int i = 0; i < 40000; ++i)
        text += std::to_string(i % 7) + (i == 39999 ? ",x" : ",1.5") + ",k" +
                std::to_string(i / 400) + "\n";
    set_num_threads(3);
    const Table table = parse_csv_untyped(bytes(text), "u.csv", CsvFormat(), "a");
    set_num_threads(2);
    EXPECT_EQ(table.columns[0].type, ColumnType::kCategory);  // asked for as text
    EXPECT_THAT(table.columns[0].categories, ElementsAre("0", "1", "2", "3", "4", "5", "6"));
    EXPECT_THAT(table.columns[1].categories, ElementsAre("1.5", "x"));
    EXPECT_EQ(table.columns[1].codes[39999], 1);
    EXPECT_EQ(table.columns[2].categories.size(), 100u);
    EXPECT_EQ(table.columns[2].categories[99], "k99");
    EXPECT_EQ(table.columns[2].codes[39999], 99);
    EXPECT_THROW(parse_csv_untyped(bytes(text), "u.csv", CsvFormat(), "nope"), Error);
    EXPECT_THROW(parse_csv_untyped(bytes("a;b\n1;2\n"), "u.csv", CsvFormat()), Error);
}

std::string scratch(const std::string& name) {
    return (std::filesystem::path(::testing::TempDir()) / name).string();
}

TEST(Csv, BatchesAndGzip) {
    std::string text = "age,city,y\n";
    for (int i = 0; i < 5000; ++i) text += std::to_string(i % 90) + ",Rome,no\n";
    const std::string path = scratch("ward_csv_test.csv.gz");
    gzFile file = gzopen(path.c_str(), "wb");
    ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())),
              static_cast<int>(text.size()));
    gzclose(file);
    CsvOptions options;
    options.window_bytes = 4096;
    int64_t batches = 0;
    std::vector<double> ages;
    EXPECT_EQ(for_each_csv_batch(path, people(), options,
                                 [&](Table&& part) {
                                     ++batches;
                                     for (double age : part.columns[0].numbers) ages.push_back(age);
                                 }),
              5000);
    EXPECT_GT(batches, 5);
    EXPECT_EQ(ages, read_csv(path, people()).columns[0].numbers);

    Bytes damaged = read_file(path);
    damaged.resize(damaged.size() / 2);
    write_file_atomically(path, ByteView(damaged));
    try {
        read_csv(path, people());
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
        EXPECT_THAT(error.message(), HasSubstr("damaged gzip file: it ends early"));
    }
}

TEST(Number, AgreesWithStrtodAndRejectsTheRest) {
    std::mt19937_64 random(3);
    for (int i = 0; i < 20000; ++i) {
        char text[64];
        const int form = static_cast<int>(random() % 4);
        const double value =
            static_cast<double>(static_cast<int64_t>(random() >> (random() % 50))) *
            std::pow(10.0, static_cast<int>(random() % 20) - 12);
        std::snprintf(text, sizeof text,
                      form == 0   ? "%.3f"
                      : form == 1 ? "%.17g"
                      : form == 2 ? "%.9f"
                                  : "%.6e",
                      value);
        double got = 0;
        ASSERT_EQ(internal::parse_number(text, text + std::strlen(text), &got),
                  internal::NumberResult::kOk)
            << text;
        ASSERT_EQ(got, std::strtod(text, nullptr)) << text;
    }
    for (const std::string text :
         {"", "-", ".", "+-1", "++1", "1 2", "1,5", "0x10", "1e", "e5", "--1", "1.2.3", "1-"}) {
        double got = 0;
        EXPECT_EQ(internal::parse_number(text.data(), text.data() + text.size(), &got),
                  internal::NumberResult::kNotANumber)
            << text;
    }
    for (const std::string text : {"+5", "5.", ".5", "-0", "12345678901234567890123", "1e-5"}) {
        double got = 0;
        EXPECT_EQ(internal::parse_number(text.data(), text.data() + text.size(), &got),
                  internal::NumberResult::kOk)
            << text;
        EXPECT_EQ(got, std::strtod(text.c_str(), nullptr));
    }
}

TEST(Scan, VariantsAgreeBitForBitWithAPlainLoop) {
    using namespace internal;
    std::mt19937 random(9);
    for (int round = 0; round < 300; ++round) {
        std::string text(random() % 400, ' ');
        for (char& c : text) c = ",\"\n;ax\r\0"[random() % 8];
        for (Isa level : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
            if (level > isa()) continue;
            const auto* data = reinterpret_cast<const uint8_t*>(text.data());
            std::vector<uint32_t> positions(text.size() + 8);
            ScanState state;
            // In two calls, to see that the state is carried.
            const size_t half = text.size() / 2 / 64 * 64;
            const ScanKernels& kernels = scan_kernels(level);
            size_t count = kernels.index(data, half, 0, ',', &state, positions.data());
            count += kernels.index(data + half, text.size() - half, static_cast<uint32_t>(half),
                                   ',', &state, positions.data() + count);
            positions.resize(count);
            std::vector<uint32_t> expected;
            bool inside = false;
            for (size_t i = 0; i < text.size(); ++i) {
                inside ^= text[i] == '"';
                if (!inside && (text[i] == ',' || text[i] == '\n'))
                    expected.push_back(static_cast<uint32_t>(i));
            }
            ASSERT_EQ(positions, expected);
            ASSERT_EQ(state.inside_quotes, inside ? ~uint64_t{0} : 0);

            const StretchSummary got = kernels.summarise(data, text.size());
            for (size_t start : {0, 1}) {
                size_t first = kNowhere, last = kNowhere;
                bool quoted = start == 1;
                for (size_t i = 0; i < text.size(); ++i) {
                    quoted ^= text[i] == '"';
                    if (quoted || text[i] != '\n') continue;
                    if (first == kNowhere) first = i;
                    last = i;
                }
                ASSERT_EQ(got.first_boundary[start], first);
                ASSERT_EQ(got.last_boundary[start], last);
            }
            ASSERT_EQ(got.quotes, static_cast<size_t>(std::count(text.begin(), text.end(), '"')));
            ASSERT_EQ(got.newlines,
                      static_cast<size_t>(std::count(text.begin(), text.end(), '\n')));
        }
    }
}

}  // namespace
}  // namespace ward::data
