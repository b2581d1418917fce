#include "ward/he/internal/buffer.h"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

namespace ward::he::internal {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kCacheBytes = size_t{256} << 20;
constexpr int kClasses = 48;

// Blocks come in sizes of 2^k and 3 2^(k-1) words, so that little is wasted.
size_t class_words(int size_class) {
    const size_t power = size_t{1} << (3 + size_class / 2);
    return size_class % 2 == 0 ? power : power + power / 2;
}

int class_of(size_t words) {
    int size_class = words <= 8 ? 0 : 2 * (static_cast<int>(std::bit_width(words - 1)) - 4);
    while (class_words(size_class) < words) ++size_class;
    return size_class;
}

class BlockCache {
  public:
    ~BlockCache() {
        for (auto& blocks : free_) {
            for (uint64_t* block : blocks) std::free(block);
        }
        alive_ = false;
    }

    uint64_t* take(int size_class) {
        auto& blocks = free_[size_class];
        if (!blocks.empty()) {
            uint64_t* block = blocks.back();
            blocks.pop_back();
            bytes_ -= class_words(size_class) * sizeof(uint64_t);
            return block;
        }
        return nullptr;
    }

    bool give(int size_class, uint64_t* block) noexcept {
        const size_t bytes = class_words(size_class) * sizeof(uint64_t);
        if (bytes_ + bytes > kCacheBytes) return false;
        try {
            free_[size_class].push_back(block);
        } catch (const std::bad_alloc&) {
            return false;
        }
        bytes_ += bytes;
        return true;
    }

    static BlockCache* of_this_thread() {
        static thread_local BlockCache cache;
        return alive_ ? &cache : nullptr;
    }

  private:
    // Trivial, so it can be read after the cache of an ending thread has gone.
    static inline thread_local bool alive_ = true;
    std::vector<uint64_t*> free_[kClasses];
    size_t bytes_ = 0;
};

// A plain memset of memory about to be freed may be optimised away.
void wipe(uint64_t* data, size_t words) {
    std::memset(data, 0, words * sizeof(uint64_t));
    __asm__ __volatile__("" : : "r"(data) : "memory");
}

}  // namespace

Buffer::Buffer(size_t words) : words_(words) {
    if (words == 0) return;
    const int size_class = words > (size_t{1} << 26) ? kClasses : class_of(words);
    BlockCache* cache = BlockCache::of_this_thread();
    if (size_class < kClasses && cache != nullptr) data_ = cache->take(size_class);
    if (data_ != nullptr) return;
    const size_t block_words =
        size_class < kClasses ? class_words(size_class) : (words + 7) / 8 * 8;
    data_ = static_cast<uint64_t*>(
        std::aligned_alloc(kAlignment, (block_words * sizeof(uint64_t) + 63) / 64 * 64));
    if (data_ == nullptr) throw std::bad_alloc();
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      words_(std::exchange(other.words_, 0)),
      secret_(std::exchange(other.secret_, false)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        words_ = std::exchange(other.words_, 0);
        secret_ = std::exchange(other.secret_, false);
    }
    return *this;
}

Buffer::Buffer(const Buffer& other) : Buffer(other.words_) {
    secret_ = other.secret_;
    if (words_ > 0) std::memcpy(data_, other.data_, words_ * sizeof(uint64_t));
}

Buffer& Buffer::operator=(const Buffer& other) {
    if (this == &other) return *this;
    if (words_ != other.words_) return *this = Buffer(other);
    secret_ = secret_ || other.secret_;
    if (words_ > 0) std::memcpy(data_, other.data_, words_ * sizeof(uint64_t));
    return *this;
}

Buffer::~Buffer() { release(); }

void Buffer::fill_zero() {
    if (words_ > 0) std::memset(data_, 0, words_ * sizeof(uint64_t));
}

void Buffer::release() noexcept {
    if (data_ == nullptr) return;
    if (secret_) wipe(data_, words_);
    const int size_class = words_ > (size_t{1} << 26) ? kClasses : class_of(words_);
    BlockCache* cache = BlockCache::of_this_thread();
    if (size_class >= kClasses || cache == nullptr || !cache->give(size_class, data_)) {
        std::free(data_);
    }
    data_ = nullptr;
    words_ = 0;
}

}  // namespace ward::he::internal
