// Arrays of numbers from files: IDX (MNIST), NPY (NumPy), CIFAR binary records; gzip by content.
//
// Threat: the files are untrusted. Headers are checked against the real length and against caps
// before anything of the announced size is allocated. NPY headers are read by a small own parser,
// and pickled objects are refused. Thread safety: free functions, value types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ward/core/bytes.h"

namespace ward::data {

enum class ElementType { kU8, kI8, kI16, kI32, kI64, kF32, kF64 };

size_t element_bytes(ElementType type);

struct Array {
    std::vector<int64_t> shape;
    ElementType type = ElementType::kU8;
    Bytes data;          // host byte order, row-major
    std::string digest;  // SHA-256 of the (decompressed) file

    int64_t elements() const;
    double at(int64_t index) const;  // no range check
};

inline constexpr size_t kMaxArrayBytes = size_t{16} << 30;  // of the decompressed file

// IDX, https://yann.lecun.com/exdb/mnist: magic 0 0 type rank, sizes, big-endian elements.
// Throws Error kCorrupt with the offset or size that is wrong; the readers also kNotFound and kIo.
Array parse_idx(Bytes content, const std::string& source);
Array read_idx(const std::string& path, size_t max_bytes = kMaxArrayBytes);

// NPY versions 1 to 3 (numpy.lib.format): C order; little-endian u1 i1 i2 i4 i8 f4 f8. Throws Error
// kCorrupt, or kUnsupported for Fortran order, big-endian, objects and other types.
Array parse_npy(Bytes content, const std::string& source);
Array read_npy(const std::string& path, size_t max_bytes = kMaxArrayBytes);

// CIFAR binary: records of 3 x 32 x 32 pixels behind 1 label byte (CIFAR-10) or 2, of which the
// second is the class (CIFAR-100); which of them, the size of the file tells. Throws Error
// kCorrupt.
struct LabelledImages {
    Array pixels;  // {records, 3, 32, 32}
    std::vector<int64_t> labels;
    int64_t classes = 10;  // or 100
};
LabelledImages parse_cifar(const Bytes& content, const std::string& source);
LabelledImages read_cifar(const std::string& path, size_t max_bytes = kMaxArrayBytes);

}  // namespace ward::data
