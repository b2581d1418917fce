#include "ward/crypto/internal/pipeline.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <mutex>

#include "ward/core/parallel.h"

namespace ward::crypto::internal {
namespace {

constexpr size_t kOrderedChunks = 32;
constexpr size_t kPlacedChunks = 4;        // 256 KiB on each side: fits the second-level cache
constexpr uint64_t kBatchesPerThread = 2;  // a thread for less costs more than it saves

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

using Transform = std::function<BatchResult(const Batch&)>;

// Source and sink without places.
void run_in_order(ByteSource& source, ByteSink& sink, const ChunkSizes& chunk,
                  const Transform& transform) {
    const size_t in_bytes = kOrderedChunks * chunk.in_bytes;
    const size_t out_bytes = kOrderedChunks * chunk.out_bytes;
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

// Source and sink with places.
class PlacedRun {
  public:
    PlacedRun(const ByteSource& source, ByteSink& sink, const ChunkSizes& chunk, uint64_t total,
              const Transform& transform)
        : source_(source),
          sink_(sink),
          chunk_(chunk),
          in_bytes_(kPlacedChunks * chunk.in_bytes),
          out_bytes_(kPlacedChunks * chunk.out_bytes),
          total_(total),
          batches_(std::max<uint64_t>(1, (total + in_bytes_ - 1) / in_bytes_)),
          transform_(transform) {}

    void run() {
        const auto workers = static_cast<int64_t>(
            std::min<uint64_t>(static_cast<uint64_t>(num_threads()),
                               (batches_ + kBatchesPerThread - 1) / kBatchesPerThread));
        parallel_for(0, workers, 1, [&](int64_t begin, int64_t end) {
            for (; begin < end; ++begin) work();
        });
        if (failure_) throw *failure_;
        sink_.advance(written_);
    }

  private:
    // Batches are handed out in their order, so all before a failed one are done, too.
    void work() {
        Buffer in(in_bytes_);
        Buffer out(out_bytes_);
        while (true) {
            const uint64_t number = next_.fetch_add(1);
            if (number >= batches_ || failed_) return;
            try {
                work_on(number, in, out);
            } catch (...) {
                failed_ = true;
                throw;
            }
        }
    }

    ByteView read(uint64_t offset, size_t wanted, Buffer& in) const {
        const ByteView in_place = source_.view_at(offset, wanted);
        if (!in_place.empty()) return in_place;
        const ByteView bytes = in.first(source_.read_at(offset, in.span().first(wanted)));
        if (bytes.size() == wanted) return bytes;
        throw Error(ErrorCode::kIo, "the input became shorter while it was read");
    }

    // What `in_bytes` of whole chunks and perhaps a shorter one become.
    size_t out_bytes_of(size_t in_bytes) const {
        const size_t rest = in_bytes % chunk_.in_bytes;
        const size_t last = rest + chunk_.out_bytes;
        return in_bytes / chunk_.in_bytes * chunk_.out_bytes +
               (rest == 0 || last < chunk_.in_bytes ? 0 : last - chunk_.in_bytes);
    }

    void work_on(uint64_t number, Buffer& in, Buffer& out) {
        const uint64_t offset = number * in_bytes_;
        const size_t wanted = std::min<uint64_t>(in_bytes_, total_ - offset);
        const ByteView bytes = read(offset, wanted, in);
        const uint64_t place = number * out_bytes_;
        const std::span<uint8_t> room = sink_.room_at(place, out_bytes_of(wanted));
        const BatchResult result =
            transform_({bytes, offset, number + 1 == batches_, room.empty() ? out.span() : room});
        if (room.empty()) sink_.write_at(place, out.first(result.out_bytes));
        const std::lock_guard lock(mutex_);
        written_ += result.out_bytes;
        if (!result.failure) return;
        failed_ = true;
        if (failure_ && failure_offset_ < offset) return;
        failure_ = result.failure;
        failure_offset_ = offset;
    }

    const ByteSource& source_;
    ByteSink& sink_;
    const ChunkSizes chunk_;
    const size_t in_bytes_;
    const size_t out_bytes_;
    const uint64_t total_;
    const uint64_t batches_;
    const Transform& transform_;
    std::atomic<uint64_t> next_ = 0;
    std::atomic<bool> failed_ = false;
    std::mutex mutex_;  // guards what follows
    uint64_t written_ = 0;
    std::optional<Error> failure_;
    uint64_t failure_offset_ = 0;
};

}  // namespace

void run_pipeline(ByteSource& source, ByteSink& sink, const ChunkSizes& chunk,
                  const std::function<BatchResult(const Batch&)>& transform) {
    const auto total = source.remaining();
    if (!total || !sink.has_places()) return run_in_order(source, sink, chunk, transform);
    PlacedRun(source, sink, chunk, *total, transform).run();
}

}  // namespace ward::crypto::internal
