#include "ward/data/libsvm.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/data/internal/byte_source.h"
#include "ward/data/internal/number.h"

namespace ward::data {
namespace {

constexpr int64_t kMaxFeatures = 100'000'000;
constexpr size_t kMaxClasses = 100'000;

struct Entry {
    int64_t row;
    int64_t index;  // from 0
    float value;
};

class Parser {
  public:
    Parser(std::string_view text, const std::string& source) : text_(text), source_(source) {}

    void parse() {
        while (!text_.empty()) {
            ++line_;
            const size_t end = text_.find('\n');
            std::string_view line = text_.substr(0, end);
            text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
            line = line.substr(0, line.find('#'));
            parse_line(line);
        }
        if (labels_.empty()) {
            throw Error(ErrorCode::kInvalid, source_ + " holds no examples",
                        "check that it is the right file");
        }
    }

    LibsvmData dense(int64_t features) const {
        LibsvmData out;
        const auto rows = static_cast<int64_t>(labels_.size());
        const int64_t width = features > 0 ? features : std::max<int64_t>(highest_, 1);
        const double bytes = static_cast<double>(rows) * static_cast<double>(width) * sizeof(float);
        if (bytes > static_cast<double>(kMaxDenseBytes)) {
            throw Error(ErrorCode::kInvalid,
                        source_ + ": " + std::to_string(rows) + " examples of " +
                            std::to_string(width) + " features do not fit in " +
                            std::to_string(kMaxDenseBytes) + " bytes",
                        "leave out rare features");
        }
        out.features.type = ElementType::kF32;
        out.features.shape = {rows, width};
        out.features.data.resize(static_cast<size_t>(rows * width) * sizeof(float));
        for (const Entry& entry : entries_) {
            const auto at = static_cast<size_t>(entry.row * width + entry.index) * sizeof(float);
            std::memcpy(out.features.data.data() + at, &entry.value, sizeof(float));
        }
        name_classes(&out);
        return out;
    }

    // Rows to predict may not have features that the model never saw.
    void require_indices_within(int64_t features) const {
        if (features == 0 || highest_ <= features) return;
        throw Error(ErrorCode::kInvalid,
                    source_ + " line " + std::to_string(highest_line_) +
                        ": expected an index up to " + std::to_string(features) + ", got " +
                        std::to_string(highest_),
                    "the model was trained with fewer features");
    }

  private:
    [[noreturn]] void fail(const std::string& expected, std::string_view got) const {
        std::string shown(got.substr(0, 40));
        for (char& c : shown)
            if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e)
                c = '?';
        throw Error(ErrorCode::kInvalid,
                    source_ + " line " + std::to_string(line_) + ": expected " + expected +
                        ", got '" + shown + "'",
                    "a line is: label index:value index:value ...");
    }

    // The next word of the line, empty at its end.
    static std::string_view take_word(std::string_view* line) {
        constexpr std::string_view kBlank = " \t\r";
        const size_t first = line->find_first_not_of(kBlank);
        if (first == std::string_view::npos) return {};
        line->remove_prefix(first);
        const std::string_view word = line->substr(0, line->find_first_of(kBlank));
        line->remove_prefix(word.size());
        return word;
    }

    double number(std::string_view word, const std::string& expected) const {
        double value = 0;
        if (internal::parse_number(word.data(), word.data() + word.size(), &value) !=
            internal::NumberResult::kOk)
            fail(expected, word);
        return value;
    }

    void parse_line(std::string_view line) {
        const std::string_view label = take_word(&line);
        if (label.empty()) return;
        const double value = number(label, "a class number");
        if (value != std::trunc(value) || std::abs(value) > 1e9) {
            fail("a whole number as class (targets of a regression are not read)", label);
        }
        const auto row = static_cast<int64_t>(labels_.size());
        labels_.push_back(static_cast<int64_t>(value));
        int64_t last = 0;
        for (std::string_view word = take_word(&line); !word.empty(); word = take_word(&line))
            last = parse_feature(word, row, last);
    }

    int64_t parse_feature(std::string_view word, int64_t row, int64_t last) {
        const size_t colon = word.find(':');
        if (colon == std::string_view::npos) fail("index:value", word);
        int64_t index = 0;
        const char* const end = word.data() + colon;
        const auto [stop, code] = std::from_chars(word.data(), end, index);
        if (code != std::errc() || stop != end) fail("an index before the colon", word);
        if (index < 1 || index > kMaxFeatures)
            fail("an index from 1 to " + std::to_string(kMaxFeatures), word);
        if (index <= last) fail("an index above " + std::to_string(last), word);
        const double value = number(word.substr(colon + 1), "a finite number behind the colon");
        const auto narrow = static_cast<float>(value);
        if (!std::isfinite(narrow)) fail("a number that fits in 32 bits", word);
        entries_.push_back({row, index - 1, narrow});
        if (index > highest_) {
            highest_ = index;
            highest_line_ = line_;
        }
        return index;
    }

    void name_classes(LibsvmData* out) const {
        std::map<int64_t, int64_t> numbers;
        for (int64_t label : labels_) numbers.emplace(label, 0);
        if (numbers.size() > kMaxClasses) {
            throw Error(ErrorCode::kInvalid, source_ + " has " + std::to_string(numbers.size()) +
                                                 " classes, at most " +
                                                 std::to_string(kMaxClasses) + " are read");
        }
        for (auto& [label, number] : numbers) {
            number = static_cast<int64_t>(out->class_names.size());
            out->class_names.push_back(std::to_string(label));
        }
        for (int64_t label : labels_) out->labels.push_back(numbers.at(label));
    }

    std::string_view text_;
    const std::string& source_;
    uint64_t line_ = 0;
    std::vector<int64_t> labels_;
    std::vector<Entry> entries_;
    int64_t highest_ = 0;
    uint64_t highest_line_ = 0;
};

}  // namespace

LibsvmData parse_libsvm(std::string_view text, const std::string& source, int64_t features) {
    Parser parser(text, source);
    parser.parse();
    parser.require_indices_within(features);
    LibsvmData out = parser.dense(features);
    out.features.digest = sha256_hex(text);
    return out;
}

LibsvmData read_libsvm(const std::string& path, int64_t features) {
    const Bytes content = internal::read_content(path, kMaxArrayBytes);
    return parse_libsvm({reinterpret_cast<const char*>(content.data()), content.size()}, path,
                        features);
}

}  // namespace ward::data
