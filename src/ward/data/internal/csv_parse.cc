#include "ward/data/internal/csv_parse.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ward/data/internal/csv_scan.h"
#include "ward/data/internal/hash.h"
#include "ward/data/internal/number.h"
#include "ward/data/internal/utf8.h"
#include "ward/data/table.h"

namespace ward::data::internal {
namespace {

constexpr size_t kIndexBytes = size_t{32} << 10;  // input indexed at a time: stays in the caches

std::string plural(size_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

class PieceParser {
  public:
    PieceParser(const CsvPiece& piece, const RowPlan& plan)
        : piece_(piece),
          plan_(plan),
          last_field_(plan.fields.size() - 1),
          delimiter_(static_cast<uint8_t>(plan.format.delimiter)) {
        result_.fields.resize(plan.fields.size());
        for (size_t i = 0; i < plan.fields.size(); ++i) reserve(i);
        if (plan.row_hashes) result_.row_hashes.reserve(piece.newlines);
    }

    PieceResult run() {
        std::vector<uint32_t> positions(kIndexBytes + 8);
        const ScanKernels& kernels = scan_kernels();
        const auto size = static_cast<size_t>(piece_.end - piece_.begin);
        row_start_ = field_start_ = piece_.begin;
        for (size_t at = 0; at < size; at += kIndexBytes) {
            const size_t count = kernels.index(piece_.begin + at, std::min(kIndexBytes, size - at),
                                               0, delimiter_, &scan_, positions.data());
            if (!consume(piece_.begin + at, positions.data(), count)) break;
        }
        trim_to_rows();
        return std::move(result_);
    }

  private:
    void reserve(size_t field) {
        FieldValues& values = result_.fields[field];
        switch (plan_.fields[field].type) {
            case FieldType::kNumber:
            case FieldType::kInteger:
                values.numbers.resize(piece_.newlines);
                break;
            case FieldType::kCategory:
            case FieldType::kText:
                values.codes.resize(piece_.newlines);
                break;
            case FieldType::kGroup:
                values.ids.resize(piece_.newlines);
                break;
            case FieldType::kSkip:
            case FieldType::kProbe:
                break;
        }
    }

    void trim_to_rows() {
        for (FieldValues& values : result_.fields) {
            const auto rows = static_cast<size_t>(result_.rows);
            values.numbers.resize(std::min(values.numbers.size(), rows));
            values.codes.resize(std::min(values.codes.size(), rows));
            values.ids.resize(std::min(values.ids.size(), rows));
        }
    }

    bool consume(const uint8_t* base, const uint32_t* positions, size_t count) {
        for (size_t i = 0; i < count; ++i) {
            const uint8_t* const end = base + positions[i];
            if (*end == '\n') {
                if (!end_row(end)) return false;
            } else if (!skip_row_ && !end_field(end)) {
                return false;
            }
            field_start_ = end + 1;
        }
        return true;
    }

    bool end_field(const uint8_t* end) {
        if (field_ == 0 && starts_comment()) {
            skip_row_ = true;
            return true;
        }
        if (field_ >= last_field_) return ragged();
        if (!take(end)) return false;
        ++field_;
        return true;
    }

    bool starts_comment() const {
        return plan_.format.comment != '\0' &&
               *row_start_ == static_cast<uint8_t>(plan_.format.comment);
    }

    bool end_row(const uint8_t* newline) {
        const uint8_t* end = newline;
        if (end > field_start_ && end[-1] == '\r') --end;
        const bool nothing = field_ == 0 && (end == row_start_ || starts_comment());
        if (!nothing && !skip_row_) {
            if (field_ != last_field_) return is_blank_row(end) ? start_row(newline) : ragged();
            if (!take(end)) return false;
            if (plan_.row_hashes) {
                result_.row_hashes.push_back(
                    hash_bytes(row_start_, static_cast<size_t>(end - row_start_)));
            }
            ++result_.rows;
        }
        return start_row(newline);
    }

    bool is_blank_row(const uint8_t* end) const {
        return field_ == 0 &&
               std::all_of(row_start_, end, [](uint8_t c) { return c == ' ' || c == '\t'; });
    }

    bool start_row(const uint8_t* newline) {
        field_ = 0;
        skip_row_ = false;
        row_start_ = newline + 1;
        return true;
    }

    bool take(const uint8_t* end) {
        const FieldPlan& field = plan_.fields[field_];
        if (field.type == FieldType::kSkip && !scan_.any_quote) return true;
        const char* first = reinterpret_cast<const char*>(field_start_);
        const char* last = reinterpret_cast<const char*>(end);
        if (plan_.format.trim) {
            while (first != last && (*first == ' ' || *first == '\t')) ++first;
            while (first != last && (last[-1] == ' ' || last[-1] == '\t')) --last;
        }
        std::string_view text(first, static_cast<size_t>(last - first));
        if (scan_.any_quote && !strip_quotes(&text)) return false;
        return store(field, result_.fields[field_], text);
    }

    // Rare enough to be kept out of line.
    [[gnu::noinline]] bool strip_quotes(std::string_view* text) {
        if (std::memchr(text->data(), '"', text->size()) == nullptr) return true;
        if (text->front() != '"') {
            return fault("has a quote inside an unquoted value " + quoted_for_message(*text),
                         "put the value in quotes and double the quote inside (\"\")");
        }
        const std::string_view inner = text->substr(1, text->size() - 2);
        if (text->size() < 2 || text->back() != '"') return text_after_quote(*text);
        if (std::memchr(inner.data(), '"', inner.size()) == nullptr) {
            *text = inner;
            return true;
        }
        unquoted_.clear();
        for (size_t i = 0; i < inner.size(); ++i) {
            unquoted_.push_back(inner[i]);
            if (inner[i] != '"') continue;
            if (i + 1 == inner.size() || inner[i + 1] != '"') return text_after_quote(*text);
            ++i;
        }
        *text = unquoted_;
        return true;
    }

    bool text_after_quote(std::string_view text) {
        return fault("has text after a closing quote: " + quoted_for_message(text),
                     "double a quote that belongs to the value (\"\")");
    }

    bool store(const FieldPlan& field, FieldValues& values, std::string_view text) {
        switch (field.type) {
            case FieldType::kSkip:
                return true;
            case FieldType::kNumber:
            case FieldType::kInteger:
                return store_number(field, values, text);
            case FieldType::kCategory:
                return store_category(field, values, text);
            case FieldType::kText:
                values.codes[row()] = is_missing(text) ? kMissingCode : values.texts.add(text);
                return true;
            case FieldType::kGroup:
                return store_group(field, values, text);
            case FieldType::kProbe:
                probe(values, text);
                return true;
        }
        return true;
    }

    bool store_number(const FieldPlan& field, FieldValues& values, std::string_view text) {
        double value = 0;
        const NumberResult result = parse_number(text.data(), text.data() + text.size(), &value);
        if (result != NumberResult::kOk) [[unlikely]] {
            if (!is_missing(text)) return not_a_number(text, result);
            if (!field.missing_allowed) return missing_value();
            value = std::numeric_limits<double>::quiet_NaN();
        } else if (field.type == FieldType::kInteger && value != std::trunc(value)) [[unlikely]] {
            return fault("expected an integer, got " + quoted_for_message(text),
                         "declare the column as kind: numeric if fractions are right");
        }
        values.numbers[row()] = value;
        return true;
    }

    bool not_a_number(std::string_view text, NumberResult result) {
        if (result == NumberResult::kNotFinite) {
            return fault("expected a finite number, got " + quoted_for_message(text),
                         "if it stands for a missing value, list it under format.missing");
        }
        return fault("expected a number, got " + quoted_for_message(text),
                     "correct the value, declare the column as categorical, or list the text under "
                     "format.missing");
    }

    bool store_category(const FieldPlan& field, FieldValues& values, std::string_view text) {
        int32_t code = field.categories.find(text);
        if (code == StringTable::kAbsent) [[unlikely]] {
            if (is_missing(text)) {
                if (!field.missing_allowed) return missing_value();
                code = kMissingCode;
            } else if (field.unknown_allowed) {
                code = kUnknownCode;
            } else {
                return unknown_category(field, text);
            }
        }
        values.codes[row()] = code;
        return true;
    }

    bool unknown_category(const FieldPlan& field, std::string_view text) {
        std::string known;
        for (size_t i = 0; i < std::min<size_t>(field.categories.size(), 5); ++i)
            known += (i == 0 ? "" : ", ") + field.categories.texts()[i];
        if (field.categories.size() > 5) known += ", ...";
        const std::string noun = field.label ? "class" : "category";
        const std::string remedy =
            field.label ? "add it to the classes of the schema, or as an alias of one"
                        : "add it to the categories, or declare unknown: category";
        return fault(
            "unknown " + noun + " " + quoted_for_message(text) + ", expected one of " + known,
            remedy);
    }

    bool missing_value() {
        return fault("the value is missing",
                     "declare missing: {impute: VALUE} or missing: category for this column");
    }

    bool store_group(const FieldPlan& field, FieldValues& values, std::string_view text) {
        if (is_missing(text) && !field.missing_allowed) return missing_value();
        int64_t id = 0;
        const char* const end = text.data() + text.size();
        const auto [stop, code] = std::from_chars(text.data(), end, id);
        if (code != std::errc() || stop != end)
            id = static_cast<int64_t>(hash_text(text) >> 1);  // other names: 63 bits of a hash
        values.ids[row()] = id;
        return true;
    }

    void probe(FieldValues& values, std::string_view text) {
        if (values.saw_text) return;
        double value = 0;
        values.saw_text = parse_number(text.data(), text.data() + text.size(), &value) ==
                              NumberResult::kNotANumber &&
                          !is_missing(text);
    }

    bool is_missing(std::string_view text) const {
        return text.empty() || plan_.missing.find(text) != StringTable::kAbsent;
    }

    size_t row() const { return static_cast<size_t>(result_.rows); }

    uint64_t line_of(const uint8_t* at) const {
        return piece_.first_line + static_cast<uint64_t>(std::count(piece_.begin, at, '\n'));
    }

    // Always false, so that callers can return it.
    [[gnu::noinline]] bool fault(const std::string& what, const std::string& hint) {
        const std::string& name = plan_.fields[field_].name;
        const std::string column =
            "column " + std::to_string(field_ + 1) + (name.empty() ? "" : " (" + name + ")");
        result_.fault = CsvFault{line_of(field_start_), ", " + column + ": " + what, hint};
        return false;
    }

    [[gnu::noinline]] bool ragged() {
        const uint8_t* end = row_start_;
        for (bool inside = false; end != piece_.end && (inside || *end != '\n'); ++end)
            inside ^= *end == '"';
        const std::string_view record(reinterpret_cast<const char*>(row_start_),
                                      static_cast<size_t>(end - row_start_));
        const size_t got = split_record(record, plan_.format).fields.size();
        const char better = better_delimiter(record, plan_.format);
        const std::string hint =
            better != 0 && got == 1
                ? "is the delimiter " + delimiter_name(better) + "? (--delimiter)"
                : "quote values that hold the delimiter, or repair the row";
        result_.fault = CsvFault{line_of(row_start_),
                                 " has " + plural(got, "field") + ", " + plan_.expected_by + " " +
                                     std::to_string(plan_.fields.size()),
                                 hint};
        return false;
    }

    const CsvPiece& piece_;
    const RowPlan& plan_;
    const size_t last_field_;
    const uint8_t delimiter_;
    PieceResult result_;
    ScanState scan_;
    const uint8_t* row_start_ = nullptr;
    const uint8_t* field_start_ = nullptr;
    size_t field_ = 0;
    bool skip_row_ = false;
    std::string unquoted_;
};

}  // namespace

namespace {

// The fault of the byte at `bad`, which begins no UTF-8 character. A piece begins outside quotes.
CsvFault encoding_fault(const CsvPiece& piece, const RowPlan& plan, const uint8_t* bad) {
    uint64_t line = piece.first_line;
    size_t field = 0;
    bool inside = false;
    for (const uint8_t* at = piece.begin; at != bad; ++at) {
        inside ^= *at == '"';
        if (*at == '\n') ++line;
        if (inside) continue;
        if (*at == '\n') field = 0;
        if (*at == static_cast<uint8_t>(plan.format.delimiter)) ++field;
    }
    const std::string name = field < plan.fields.size() ? plan.fields[field].name : "";
    return {line,
            ", column " + std::to_string(field + 1) + (name.empty() ? "" : " (" + name + ")") +
                ": " + not_utf8(static_cast<char>(*bad)),
            encoding_hint()};
}

}  // namespace

PieceResult parse_piece(const CsvPiece& piece, const RowPlan& plan) {
    PieceResult result = PieceParser(piece, plan).run();
    const std::string_view text(reinterpret_cast<const char*>(piece.begin),
                                static_cast<size_t>(piece.end - piece.begin));
    const size_t bad = first_invalid_utf8(text);
    if (bad == text.size()) return result;
    CsvFault fault = encoding_fault(piece, plan, piece.begin + bad);
    if (!result.fault || fault.line <= result.fault->line) result.fault = std::move(fault);
    return result;
}

char better_delimiter(std::string_view record, const CsvFormat& format) {
    size_t most = split_record(record, format).fields.size();
    char best = 0;
    for (char candidate : {',', ';', '\t', '|'}) {
        CsvFormat other = format;
        other.delimiter = candidate;
        const size_t fields = split_record(record, other).fields.size();
        if (fields <= most) continue;
        most = fields;
        best = candidate;
    }
    return best;
}

std::string delimiter_name(char delimiter) {
    return delimiter == '\t' ? "'\\t'" : std::string("'") + delimiter + "'";
}

}  // namespace ward::data::internal
