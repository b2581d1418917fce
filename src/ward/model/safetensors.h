// The safetensors format: 8 bytes with the length of a JSON header (little endian), the header,
// the data. https://github.com/huggingface/safetensors (README, "Format").
//
// Threat: files are untrusted. The header's length, its JSON, names, dtypes, shapes and offsets are
// checked before anything is used; tensors that overlap, leave holes, lie outside the file or whose
// shape does not give their size are refused, so that no byte is outside a tensor and none belongs
// to two. Reads are bounded by the file's size.
// Thread safety: const objects may be shared.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/core/file.h"
#include "ward/model/spec.h"

namespace ward::model {

enum class DType : uint8_t {
    kBool,
    kU8,
    kI8,
    kF8E5M2,
    kF8E4M3,
    kI16,
    kU16,
    kF16,
    kBf16,
    kI32,
    kU32,
    kF32,
    kF64,
    kI64,
    kU64
};

std::string_view dtype_name(DType type);  // "F32", as in the header
size_t dtype_bytes(DType type);

// One tensor; its bytes are [begin, end) of the data section, row-major, little endian.
struct TensorEntry {
    std::string name;
    DType type = DType::kF32;
    Shape shape;  // may hold zeros; {} is a scalar
    uint64_t begin = 0, end = 0;
};

// The header of a file.
struct TensorTable {
    std::map<std::string, std::string> metadata;
    std::vector<TensorEntry> tensors;  // by their place in the data section
    uint64_t data_offset = 0;          // of the data section in the file

    const TensorEntry* find(std::string_view name) const;
};

// Parses and checks the header of a whole file's bytes. Throws Error kCorrupt; the message begins
// with `name`.
TensorTable parse_safetensors(ByteView file, const std::string& name);

// A file, mapped, or its bytes in memory.
class SafetensorsFile {
  public:
    // Throws Error kNotFound, kIo or kCorrupt.
    explicit SafetensorsFile(const std::string& path);
    // `file` must outlive this object; `name` is for messages.
    SafetensorsFile(ByteView file, const std::string& name);

    const TensorTable& table() const { return table_; }
    ByteView bytes(const TensorEntry& tensor) const;

    // The values of an F32, F16 or BF16 tensor, exactly. Throws Error kUnsupported for other types.
    std::vector<float> floats(const TensorEntry& tensor) const;

  private:
    std::string path_;
    std::optional<MappedFile> mapped_;
    ByteView file_;
    TensorTable table_;
};

// Writes a file tensor by tensor, so that no second copy of the data is needed. The file appears
// under its name at `commit`. Not thread-safe.
class SafetensorsWriter {
  public:
    // Names, types and shapes of all tensors in the order in which they will come; `begin` and
    // `end` are ignored. Put wider types first where readers map tensors in place. Throws Error
    // kInvalid (a name used twice, a size that overflows, a header over 100 MB) or kIo.
    SafetensorsWriter(const std::string& path, const std::map<std::string, std::string>& metadata,
                      std::vector<TensorEntry> tensors,
                      AtomicFile::Readers readers = AtomicFile::Readers::kEveryone);

    // The bytes of the next tensor. Throws Error kInvalid where their number is not that of its
    // shape.
    void append(ByteView data);
    void append(const std::vector<float>& values);
    void commit();  // Throws Error kInvalid before the last tensor.

  private:
    AtomicFile file_;
    std::vector<TensorEntry> tensors_;
    size_t next_ = 0;
};

}  // namespace ward::model
