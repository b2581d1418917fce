#include "ward/crypto/internal/pipeline.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <future>
#include <memory>

namespace ward::crypto::internal {
namespace {

// Memory that may hold plaintext: what was used of it is wiped when it goes. Pages that are never
// used cost nothing.
class Buffer {
  public:
    explicit Buffer(size_t size_bytes)
        : bytes_(std::make_unique_for_overwrite<uint8_t[]>(size_bytes)), size_(size_bytes) {}
    ~Buffer() { OPENSSL_cleanse(bytes_.get(), used_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    std::span<uint8_t> span() { return {bytes_.get(), size_}; }
    ByteView first(size_t count) {
        used_ = std::max(used_, count);
        return {bytes_.get(), count};
    }

  private:
    std::unique_ptr<uint8_t[]> bytes_;
    size_t size_;
    size_t used_ = 0;
};

}  // namespace

void run_pipeline(ByteSource& source, ByteSink& sink, size_t in_bytes, size_t out_bytes,
                  const std::function<BatchResult(const Batch&)>& transform) {
    std::array<Buffer, 2> in = {Buffer(in_bytes), Buffer(in_bytes)};
    std::array<Buffer, 2> out = {Buffer(out_bytes), Buffer(out_bytes)};
    std::future<void> writing;  // its destructor waits, so the buffers outlive it
    uint64_t offset = 0;
    size_t have = source.read(in[0].span());
    for (size_t turn = 0;; turn ^= 1) {
        // What follows is read first, because the last batch must be known as such.
        const size_t next = have < in_bytes ? 0 : source.read(in[turn ^ 1].span());
        const BatchResult result =
            transform({in[turn].first(have), offset, next == 0, out[turn].span()});
        if (writing.valid()) writing.get();
        const ByteView ready = out[turn].first(result.out_bytes);
        if (next == 0 || result.failure) {
            sink.write(ready);
            if (result.failure) throw *result.failure;
            return;
        }
        writing = std::async(std::launch::async, [&sink, ready] { sink.write(ready); });
        offset += have;
        have = next;
    }
}

}  // namespace ward::crypto::internal
