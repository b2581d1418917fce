#include "ward/data/array.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/data/internal/byte_source.h"

namespace ward::data {
namespace {

constexpr size_t kMaxRank = 8;

[[noreturn]] void corrupt(const std::string& source, const std::string& what) {
    throw Error(ErrorCode::kCorrupt, source + ": " + what, "copy or download the file again");
}

// Elements x size, or nothing when it does not fit in 63 bits.
std::optional<uint64_t> checked_bytes(const std::vector<int64_t>& shape, size_t element) {
    uint64_t total = element;
    for (int64_t dimension : shape) {
        if (__builtin_mul_overflow(total, static_cast<uint64_t>(dimension), &total) ||
            total > uint64_t{1} << 62)
            return std::nullopt;
    }
    return total;
}

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string out;
    for (int64_t dimension : shape) out += (out.empty() ? "" : " x ") + std::to_string(dimension);
    return out.empty() ? "a single value" : out;
}

// Takes the header off and checks that exactly the announced elements follow.
Array finish(Bytes content, size_t header_bytes, std::vector<int64_t> shape, ElementType type,
             const std::string& source) {
    Array array;
    const std::optional<uint64_t> wanted = checked_bytes(shape, element_bytes(type));
    const size_t got = content.size() - header_bytes;
    if (!wanted || *wanted != got) {
        corrupt(source, "the header announces " + shape_text(shape) + " elements of " +
                            std::to_string(element_bytes(type)) + " bytes, but " +
                            std::to_string(got) + " bytes follow it");
    }
    array.shape = std::move(shape);
    array.type = type;
    array.digest = sha256_hex(ByteView(content));
    content.erase(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(header_bytes));
    array.data = std::move(content);
    return array;
}

std::optional<ElementType> idx_type(uint8_t code) {
    switch (code) {
        case 0x08:
            return ElementType::kU8;
        case 0x09:
            return ElementType::kI8;
        case 0x0b:
            return ElementType::kI16;
        case 0x0c:
            return ElementType::kI32;
        case 0x0d:
            return ElementType::kF32;
        case 0x0e:
            return ElementType::kF64;
        default:
            return std::nullopt;
    }
}

template <typename T>
double load_as(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof(value));
    return static_cast<double>(value);
}

// The dictionary of an NPY header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class NpyHeader {
  public:
    NpyHeader(std::string_view text, const std::string& source) : text_(text), source_(source) {
        expect('{');
        while (!accept('}')) {
            const std::string key = string_literal();
            expect(':');
            read_value(key);
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        if (descr.empty() || !saw_order_ || !saw_shape_)
            corrupt(source_, "the NPY header lacks descr, fortran_order or shape");
    }

    std::string descr;
    bool fortran_order = false;
    std::vector<int64_t> shape;

  private:
    void skip_blanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    }

    bool accept(char wanted) {
        skip_blanks();
        if (at_ >= text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }

    void expect(char wanted) {
        if (!accept(wanted)) {
            corrupt(source_, "the NPY header is malformed at byte " + std::to_string(at_) +
                                 ", expected '" + wanted + "'");
        }
    }

    std::string string_literal() {
        const char quote = accept('"') ? '"' : '\'';
        if (quote == '\'') expect('\'');
        const size_t end = text_.find(quote, at_);
        if (end == std::string_view::npos) corrupt(source_, "the NPY header has an open string");
        std::string value(text_.substr(at_, end - at_));
        at_ = end + 1;
        return value;
    }

    bool accept_word(std::string_view word) {
        skip_blanks();
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }

    void read_value(const std::string& key) {
        if (key == "descr") {
            skip_blanks();
            if (at_ < text_.size() && text_[at_] == '[') {
                throw Error(ErrorCode::kUnsupported, source_ + ": records are not supported",
                            "save a plain array of numbers");
            }
            descr = string_literal();
        } else if (key == "fortran_order") {
            fortran_order = accept_word("True");
            if (!fortran_order && !accept_word("False"))
                corrupt(source_, "fortran_order must be True or False");
            saw_order_ = true;
        } else if (key == "shape") {
            read_shape();
        } else {
            corrupt(source_, "the NPY header has an unknown key");
        }
    }

    void read_shape() {
        expect('(');
        while (!accept(')')) {
            shape.push_back(dimension());
            if (shape.size() > kMaxRank)
                corrupt(source_, "more than " + std::to_string(kMaxRank) + " dimensions");
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
        saw_shape_ = true;
    }

    int64_t dimension() {
        skip_blanks();
        int64_t value = 0;
        const size_t start = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
            if (at_ - start >= 15) corrupt(source_, "a dimension of the NPY header is too large");
            value = value * 10 + (text_[at_++] - '0');
        }
        if (at_ == start) corrupt(source_, "the shape of the NPY header is malformed");
        return value;
    }

    std::string_view text_;
    const std::string& source_;
    size_t at_ = 0;
    bool saw_order_ = false;
    bool saw_shape_ = false;
};

ElementType npy_type(const std::string& descr, const std::string& source) {
    static constexpr std::pair<const char*, ElementType> kTypes[] = {
        {"|u1", ElementType::kU8},  {"|i1", ElementType::kI8},  {"<i2", ElementType::kI16},
        {"<i4", ElementType::kI32}, {"<i8", ElementType::kI64}, {"<f4", ElementType::kF32},
        {"<f8", ElementType::kF64}, {"<u1", ElementType::kU8},  {"<i1", ElementType::kI8},
        {"|b1", ElementType::kU8},
    };
    for (const auto& [name, type] : kTypes)
        if (descr == name) return type;
    throw Error(ErrorCode::kUnsupported,
                source + ": arrays of type '" + descr.substr(0, 16) +
                    "' are not supported, expected u1, i1, i2, i4, i8, f4 "
                    "or f8, little-endian",
                "convert it: numpy.save(name, x.astype('<f4'))");
}

}  // namespace

size_t element_bytes(ElementType type) {
    switch (type) {
        case ElementType::kU8:
        case ElementType::kI8:
            return 1;
        case ElementType::kI16:
            return 2;
        case ElementType::kI32:
        case ElementType::kF32:
            return 4;
        case ElementType::kI64:
        case ElementType::kF64:
            return 8;
    }
    return 1;
}

int64_t Array::elements() const { return static_cast<int64_t>(data.size() / element_bytes(type)); }

double Array::at(int64_t index) const {
    const uint8_t* from = data.data() + static_cast<size_t>(index) * element_bytes(type);
    switch (type) {
        case ElementType::kU8:
            return *from;
        case ElementType::kI8:
            return static_cast<int8_t>(*from);
        case ElementType::kI16:
            return load_as<int16_t>(from);
        case ElementType::kI32:
            return load_as<int32_t>(from);
        case ElementType::kI64:
            return load_as<int64_t>(from);
        case ElementType::kF32:
            return load_as<float>(from);
        case ElementType::kF64:
            return load_as<double>(from);
    }
    return 0;
}

Array parse_idx(Bytes content, const std::string& source) {
    if (content.size() < 4 || content[0] != 0 || content[1] != 0)
        corrupt(source, "not an IDX file: it does not begin with two zero bytes and a type");
    const std::optional<ElementType> type = idx_type(content[2]);
    if (!type)
        corrupt(source, "unknown IDX element type " + std::to_string(content[2]) + " in byte 3");
    const size_t rank = content[3];
    if (rank == 0 || rank > kMaxRank)
        corrupt(source, "IDX rank must be from 1 to 8, got " + std::to_string(rank));
    const size_t header_bytes = 4 + 4 * rank;
    if (content.size() < header_bytes) corrupt(source, "the IDX header ends early");
    std::vector<int64_t> shape;
    for (size_t i = 0; i < rank; ++i) {
        const uint8_t* from = content.data() + 4 + 4 * i;
        shape.push_back(int64_t{from[0]} << 24 | int64_t{from[1]} << 16 | int64_t{from[2]} << 8 |
                        int64_t{from[3]});
    }
    Array array = finish(std::move(content), header_bytes, std::move(shape), *type, source);
    const size_t width = element_bytes(*type);
    for (size_t i = 0; width > 1 && i < array.data.size(); i += width)
        std::reverse(array.data.begin() + static_cast<std::ptrdiff_t>(i),
                     array.data.begin() + static_cast<std::ptrdiff_t>(i + width));
    return array;
}

Array read_idx(const std::string& path, size_t max_bytes) {
    return parse_idx(internal::read_content(path, max_bytes), path);
}

Array parse_npy(Bytes content, const std::string& source) {
    static constexpr uint8_t kMagic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    if (content.size() < 10 || !std::equal(std::begin(kMagic), std::end(kMagic), content.begin()))
        corrupt(source, "not an NPY file: the magic bytes are missing");
    const int version = content[6];
    if (version < 1 || version > 3) {
        throw Error(ErrorCode::kUnsupported,
                    source + ": NPY version must be 1, 2 or 3, got " + std::to_string(version));
    }
    const size_t length_bytes = version == 1 ? 2 : 4;
    const size_t prefix = 8 + length_bytes;
    if (content.size() < prefix) corrupt(source, "the NPY header ends early");
    size_t length = 0;
    for (size_t i = 0; i < length_bytes; ++i) length |= size_t{content[8 + i]} << (8 * i);
    if (length > content.size() - prefix || length > size_t{1} << 20)
        corrupt(source, "the NPY header claims " + std::to_string(length) + " bytes");
    const NpyHeader header(
        std::string_view(reinterpret_cast<const char*>(content.data()) + prefix, length), source);
    const ElementType type = npy_type(header.descr, source);
    if (header.fortran_order && header.shape.size() > 1) {
        throw Error(ErrorCode::kUnsupported, source + ": the array is in Fortran order",
                    "save it with numpy.ascontiguousarray");
    }
    return finish(std::move(content), prefix + length, header.shape, type, source);
}

Array read_npy(const std::string& path, size_t max_bytes) {
    return parse_npy(internal::read_content(path, max_bytes), path);
}

LabelledImages parse_cifar(const Bytes& content, const std::string& source) {
    constexpr size_t kPixels = 3 * 32 * 32;
    const bool ten = content.size() % (1 + kPixels) == 0;
    const size_t label_bytes = ten ? 1 : 2;
    const size_t record_bytes = label_bytes + kPixels;
    if (content.empty() || content.size() % record_bytes != 0) {
        corrupt(source,
                "a CIFAR file is made of records of 3073 bytes (CIFAR-10) or 3074 "
                "(CIFAR-100), got " +
                    std::to_string(content.size()) + " bytes");
    }
    const size_t records = content.size() / record_bytes;
    LabelledImages out;
    out.classes = ten ? 10 : 100;
    out.labels.reserve(records);
    out.pixels.shape = {static_cast<int64_t>(records), 3, 32, 32};
    out.pixels.data.resize(records * kPixels);
    for (size_t i = 0; i < records; ++i) {
        const uint8_t* pixels = content.data() + i * record_bytes + label_bytes;
        const int64_t label = pixels[-1];
        if (label >= out.classes) {
            corrupt(source, "record " + std::to_string(i + 1) + " has class " +
                                std::to_string(label) + ", expected 0 to " +
                                std::to_string(out.classes - 1));
        }
        out.labels.push_back(label);
        std::memcpy(out.pixels.data.data() + i * kPixels, pixels, kPixels);
    }
    out.pixels.digest = sha256_hex(ByteView(content));
    return out;
}

LabelledImages read_cifar(const std::string& path, size_t max_bytes) {
    return parse_cifar(internal::read_content(path, max_bytes), path);
}

}  // namespace ward::data
