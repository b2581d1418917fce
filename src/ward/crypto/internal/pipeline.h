// Reads a source by batches, transforms them on all threads, writes the results: the three
// overlap, and memory is that of two batches on each side.
#pragma once

#include <functional>
#include <optional>

#include "ward/core/error.h"
#include "ward/crypto/stream.h"

namespace ward::crypto::internal {

struct Batch {
    ByteView in;          // full but for the last one, which may be empty if it is the only one
    uint64_t offset = 0;  // of its first byte in the source
    bool is_last = false;
    std::span<uint8_t> out;  // `out_bytes` of room
};

struct BatchResult {
    size_t out_bytes = 0;          // of `out` to write
    std::optional<Error> failure;  // thrown after that has been written
};

void run_pipeline(ByteSource& source, ByteSink& sink, size_t in_bytes, size_t out_bytes,
                  const std::function<BatchResult(const Batch&)>& transform);

}  // namespace ward::crypto::internal
