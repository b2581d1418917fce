#include "ward/model/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "ward/core/error.h"
#include "ward/model/internal/json.h"
#include "ward/model/internal/text.h"

namespace ward::model {
namespace {

static_assert(std::endian::native == std::endian::little, "the data section is little endian");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // as the format's reference implementation
constexpr size_t kMaxRank = 64;

struct TypeFacts {
    std::string_view name;
    size_t size_bytes;
};
constexpr std::array<TypeFacts, 15> kTypes = {{{"BOOL", 1},
                                               {"U8", 1},
                                               {"I8", 1},
                                               {"F8_E5M2", 1},
                                               {"F8_E4M3", 1},
                                               {"I16", 2},
                                               {"U16", 2},
                                               {"F16", 2},
                                               {"BF16", 2},
                                               {"I32", 4},
                                               {"U32", 4},
                                               {"F32", 4},
                                               {"F64", 8},
                                               {"I64", 8},
                                               {"U64", 8}}};

// Bytes of a tensor, or nothing where the number overflows 63 bits.
std::optional<uint64_t> tensor_bytes(const Shape& shape, DType type) {
    int64_t count = static_cast<int64_t>(dtype_bytes(type));
    for (int64_t dimension : shape) {
        if (dimension < 0 || __builtin_mul_overflow(count, dimension, &count)) return std::nullopt;
    }
    return static_cast<uint64_t>(count);
}

// Reads the JSON header of the file `name`.
class HeaderReader {
  public:
    HeaderReader(const std::string& name, uint64_t data_bytes)
        : name_(name), data_bytes_(data_bytes) {}

    TensorTable read(std::string_view header) {
        if (header.empty() || header.front() != '{') fail("the header does not begin with {");
        const JsonTree object = parse_json_object(header, name_, 4, ErrorCode::kCorrupt);
        TensorTable table;
        for (const auto& [key, value] : object.items()) {
            if (key == "__metadata__") {
                table.metadata = read_metadata(value);
            } else {
                table.tensors.push_back(read_tensor(key, value));
            }
        }
        check_layout(table.tensors);
        return table;
    }

  private:
    [[noreturn]] void fail(const std::string& message) const {
        throw Error(ErrorCode::kCorrupt, name_ + ": " + message,
                    "the file is damaged or not a safetensors file");
    }
    [[noreturn]] void fail_tensor(const std::string& tensor, const std::string& message) const {
        fail("tensor " + in_quotes(tensor) + ": " + message);
    }

    std::map<std::string, std::string> read_metadata(const JsonTree& value) const {
        if (!value.is_object()) fail("__metadata__ is not an object");
        std::map<std::string, std::string> metadata;
        for (const auto& [key, text] : value.items()) {
            if (!text.is_string()) fail("__metadata__ " + in_quotes(key) + " is not a string");
            metadata[key] = text.get<std::string>();
        }
        return metadata;
    }

    TensorEntry read_tensor(const std::string& name, const JsonTree& value) const {
        if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
            !value.contains("shape") || !value.contains("data_offsets")) {
            fail_tensor(name, "must hold dtype, shape and data_offsets and nothing else");
        }
        TensorEntry tensor;
        tensor.name = name;
        tensor.type = read_type(name, value["dtype"]);
        tensor.shape = read_shape(name, value["shape"]);
        const JsonTree& offsets = value["data_offsets"];
        if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
            !offsets[1].is_number_unsigned()) {
            fail_tensor(name, "data_offsets must be two whole numbers");
        }
        tensor.begin = offsets[0].get<uint64_t>();
        tensor.end = offsets[1].get<uint64_t>();
        if (tensor.begin > tensor.end || tensor.end > data_bytes_) {
            fail_tensor(name, "bytes " + std::to_string(tensor.begin) + " to " +
                                  std::to_string(tensor.end) + " are not within the " +
                                  std::to_string(data_bytes_) + " bytes of data");
        }
        const std::optional<uint64_t> expected = tensor_bytes(tensor.shape, tensor.type);
        if (!expected || *expected != tensor.end - tensor.begin) {
            fail_tensor(name, "shape " + shape_text(tensor.shape) + " of " +
                                  std::string(dtype_name(tensor.type)) + " does not fill " +
                                  std::to_string(tensor.end - tensor.begin) + " bytes");
        }
        return tensor;
    }

    DType read_type(const std::string& name, const JsonTree& value) const {
        if (!value.is_string()) fail_tensor(name, "dtype must be a string");
        const std::string text = value.get<std::string>();
        for (size_t i = 0; i < kTypes.size(); ++i) {
            if (kTypes[i].name == text) return static_cast<DType>(i);
        }
        throw Error(ErrorCode::kUnsupported, name_ + ": tensor " + in_quotes(name) +
                                                 " has the unknown dtype " + in_quotes(text));
    }

    Shape read_shape(const std::string& name, const JsonTree& value) const {
        if (!value.is_array() || value.size() > kMaxRank) {
            fail_tensor(name,
                        "shape must be an array of at most " + std::to_string(kMaxRank) + " sizes");
        }
        Shape shape;
        for (const JsonTree& size : value) {
            if (!size.is_number_unsigned() || size.get<uint64_t>() > uint64_t{1} << 62) {
                fail_tensor(name, "sizes must be whole numbers, got " + in_quotes(size.dump()));
            }
            shape.push_back(size.get<int64_t>());
        }
        return shape;
    }

    // Sorts by place; together the tensors must be the data, without overlap, hole or rest.
    void check_layout(std::vector<TensorEntry>& tensors) const {
        std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
            return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
        });
        uint64_t position = 0;
        for (const TensorEntry& tensor : tensors) {
            if (tensor.begin != position) {
                fail_tensor(tensor.name, tensor.begin < position
                                             ? "overlaps the tensor before it"
                                             : "leaves a hole of " +
                                                   std::to_string(tensor.begin - position) +
                                                   " bytes before it");
            }
            position = tensor.end;
        }
        if (position != data_bytes_) {
            fail(std::to_string(data_bytes_ - position) + " bytes behind the last tensor");
        }
    }

    const std::string& name_;
    uint64_t data_bytes_;
};

uint64_t little_endian_u64(ByteView bytes) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
}

// IEEE 754 binary16 to binary32; every value is representable.
float float_of_half(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 31u;
    const uint32_t mantissa = half & 1023u;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
    if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
        const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
        return sign != 0 ? -magnitude : magnitude;
    }
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

float float_of_bfloat(uint16_t value) {
    return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

template <typename Convert>
void widen(ByteView data, std::vector<float>& values, Convert convert) {
    for (size_t i = 0; i < values.size(); ++i) {
        uint16_t narrow = 0;
        std::memcpy(&narrow, data.data() + 2 * i, 2);
        values[i] = convert(narrow);
    }
}

}  // namespace

std::string_view dtype_name(DType type) { return kTypes[static_cast<size_t>(type)].name; }
size_t dtype_bytes(DType type) { return kTypes[static_cast<size_t>(type)].size_bytes; }

const TensorEntry* TensorTable::find(std::string_view name) const {
    for (const TensorEntry& tensor : tensors) {
        if (tensor.name == name) return &tensor;
    }
    return nullptr;
}

TensorTable parse_safetensors(ByteView file, const std::string& name) {
    const auto fail = [&](const std::string& message) {
        throw Error(ErrorCode::kCorrupt, name + ": " + message,
                    "the file is damaged or not a safetensors file");
    };
    if (file.size() < 8) {
        fail("a safetensors file has at least 8 bytes, got " + std::to_string(file.size()));
    }
    const uint64_t header_bytes = little_endian_u64(file);
    if (header_bytes > kMaxHeaderBytes) {
        fail("the header claims " + std::to_string(header_bytes) + " bytes, at most " +
             std::to_string(kMaxHeaderBytes) + " are allowed");
    }
    if (header_bytes > file.size() - 8) {
        fail("the header claims " + std::to_string(header_bytes) + " bytes, only " +
             std::to_string(file.size() - 8) + " follow");
    }
    const std::string_view header(reinterpret_cast<const char*>(file.data()) + 8, header_bytes);
    TensorTable table = HeaderReader(name, file.size() - 8 - header_bytes).read(header);
    table.data_offset = 8 + header_bytes;
    return table;
}

SafetensorsFile::SafetensorsFile(const std::string& path)
    : path_(path), mapped_(path), file_(mapped_->bytes()), table_(parse_safetensors(file_, path)) {}

SafetensorsFile::SafetensorsFile(ByteView file, const std::string& name)
    : path_(name), file_(file), table_(parse_safetensors(file, name)) {}

ByteView SafetensorsFile::bytes(const TensorEntry& tensor) const {
    return file_.subspan(table_.data_offset + tensor.begin, tensor.end - tensor.begin);
}

std::vector<float> SafetensorsFile::floats(const TensorEntry& tensor) const {
    const ByteView data = bytes(tensor);
    std::vector<float> values(data.size() / dtype_bytes(tensor.type));
    switch (tensor.type) {
        case DType::kF32:
            if (!data.empty()) std::memcpy(values.data(), data.data(), data.size());
            return values;
        case DType::kF16:
            widen(data, values, float_of_half);
            return values;
        case DType::kBf16:
            widen(data, values, float_of_bfloat);
            return values;
        default:
            throw Error(ErrorCode::kUnsupported,
                        path_ + ": tensor " + in_quotes(tensor.name) + " is " +
                            std::string(dtype_name(tensor.type)) +
                            ", which float32 cannot hold exactly",
                        "store the weights as F32, F16 or BF16");
    }
}

namespace {

// Gives each tensor its place in the data section. Throws Error kInvalid.
void lay_out(std::vector<TensorEntry>& tensors) {
    std::set<std::string> names = {"__metadata__"};
    uint64_t position = 0;
    for (TensorEntry& tensor : tensors) {
        const std::optional<uint64_t> size = tensor_bytes(tensor.shape, tensor.type);
        tensor.begin = position;
        if (!size || __builtin_add_overflow(position, *size, &position)) {
            throw Error(ErrorCode::kInvalid, "tensor " + in_quotes(tensor.name) + ": shape " +
                                                 shape_text(tensor.shape) + " is too large");
        }
        tensor.end = position;
        if (!names.insert(tensor.name).second) {
            throw Error(ErrorCode::kInvalid,
                        "tensor " + in_quotes(tensor.name) + ": the name is taken");
        }
    }
}

// The header's text, padded with blanks so that the data begins at a multiple of 8.
std::string header_text(const std::map<std::string, std::string>& metadata,
                        const std::vector<TensorEntry>& tensors) {
    const std::string what = "safetensors header";
    std::string text = "{";
    const auto add = [&](const std::string& key, const Json& value) {
        text += (text.size() > 1 ? "," : "") + json_text(key, what) + ":" + json_text(value, what);
    };
    if (!metadata.empty()) add("__metadata__", metadata);
    for (const TensorEntry& tensor : tensors) {
        add(tensor.name, {{"dtype", dtype_name(tensor.type)},
                          {"shape", tensor.shape},
                          {"data_offsets", {tensor.begin, tensor.end}}});
    }
    text += "}";
    text.append((8 - text.size() % 8) % 8, ' ');
    if (text.size() > kMaxHeaderBytes) {
        throw Error(ErrorCode::kInvalid, what + ": " + std::to_string(text.size()) +
                                             " bytes, at most " + std::to_string(kMaxHeaderBytes) +
                                             " are allowed");
    }
    return text;
}

template <typename Value>
ByteView bytes_of(const Value* values, size_t count) {
    return {reinterpret_cast<const uint8_t*>(values), count * sizeof(Value)};
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::string& path,
                                     const std::map<std::string, std::string>& metadata,
                                     std::vector<TensorEntry> tensors, AtomicFile::Readers readers)
    : file_(path, readers), tensors_(std::move(tensors)) {
    lay_out(tensors_);
    const std::string header = header_text(metadata, tensors_);
    const uint64_t header_bytes = header.size();
    file_.write(bytes_of(&header_bytes, 1));
    file_.write(header);
}

void SafetensorsWriter::append(ByteView data) {
    if (next_ == tensors_.size()) {
        throw Error(ErrorCode::kInvalid, "safetensors: all tensors have been written");
    }
    const TensorEntry& tensor = tensors_[next_];
    if (data.size() != tensor.end - tensor.begin) {
        throw Error(ErrorCode::kInvalid, "tensor " + in_quotes(tensor.name) + ": shape " +
                                             shape_text(tensor.shape) + " needs " +
                                             std::to_string(tensor.end - tensor.begin) +
                                             " bytes, got " + std::to_string(data.size()));
    }
    file_.write(data);
    ++next_;
}

void SafetensorsWriter::append(const std::vector<float>& values) {
    append(bytes_of(values.data(), values.size()));
}

void SafetensorsWriter::commit() {
    if (next_ != tensors_.size()) {
        throw Error(ErrorCode::kInvalid, "safetensors: tensor " + in_quotes(tensors_[next_].name) +
                                             " has not been written");
    }
    file_.commit();
}

}  // namespace ward::model
