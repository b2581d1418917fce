// Bytes from a source through a transformation into a sink, by batches of chunks, on all threads.
//
// Where source and sink have places (files, memory), each thread reads, transforms and writes small
// batches of its own, which stay in its cache. Else (pipes) one reads, all transform, one writes,
// and the three overlap. Memory is that of a few batches in both cases.
#pragma once

#include <functional>
#include <optional>

#include "ward/core/error.h"
#include "ward/crypto/stream.h"

namespace ward::crypto::internal {

struct ChunkSizes {
    size_t in_bytes = 0;   // of a full chunk; only the last one may have fewer
    size_t out_bytes = 0;  // at most, of what a chunk becomes; exactly, of all but the last one
};

struct Batch {
    ByteView in;          // whole chunks; in the last batch perhaps fewer bytes, even none
    uint64_t offset = 0;  // of its first byte in the source
    bool is_last = false;
    std::span<uint8_t> out;  // room for all its chunks
};

struct BatchResult {
    size_t out_bytes = 0;          // of `out` to write
    std::optional<Error> failure;  // thrown after that has been written
};

// The source must not be used afterwards. Of several failures the one that comes first in the
// source is thrown; a sink without places has got everything before it then.
void run_pipeline(ByteSource& source, ByteSink& sink, const ChunkSizes& chunk,
                  const std::function<BatchResult(const Batch&)>& transform);

}  // namespace ward::crypto::internal
