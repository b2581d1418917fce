#include "ward/mpc/internal/terms.h"

#include <algorithm>

#include "ward/mpc/internal/vector_loops.h"

namespace ward::mpc::internal {
namespace {

constexpr size_t kWord = 64;

// base + slope b for bits `skip` and following of the words; reads one word behind the last.
WARD_LOOP void expand_loop(const Ring* words, size_t skip, size_t count, Ring base, Ring slope,
                           Ring* out) {
    for (size_t begin = 0; begin < count; begin += kWord, ++words) {
        const Ring next = skip == 0 ? 0 : words[1] << (kWord - skip);
        const Ring word = (words[0] >> skip) | next;
        const size_t here = count - begin < kWord ? count - begin : kWord;
        for (size_t i = 0; i < here; ++i) out[begin + i] = base + (slope & (0 - (word >> i & 1)));
    }
}

}  // namespace

Ring* Terms::add_numbers(size_t count) {
    segments_.push_back({size_, size_ + count, numbers_.size(), false, 0, 0});
    size_ += count;
    numbers_.resize(numbers_.size() + count);
    return numbers_.data() + (numbers_.size() - count);
}

void Terms::add_bits(const RingVector& words, size_t count, Ring base, Ring slope) {
    segments_.push_back({size_, size_ + count, bits_.size(), true, base, slope});
    size_ += count;
    bits_.insert(bits_.end(), words.begin(),
                 words.begin() + static_cast<std::ptrdiff_t>(words_for_bits(count)));
    bits_.push_back(0);  // for expand_loop
}

void Terms::clear() {
    segments_.clear();
    numbers_.clear();
    bits_.clear();
    size_ = 0;
}

void Terms::read_bits(const Segment& segment, size_t from, size_t count, Ring* out) const {
    run_loop<expand_loop>(&bits_[segment.offset + from / kWord], from % kWord, count, segment.base,
                          segment.slope, out);
}

void Terms::read(size_t at, size_t count, Ring* out) const {
    const size_t end = at + count;
    auto segment = std::upper_bound(segments_.begin(), segments_.end(), at,
                                    [](size_t value, const Segment& s) { return value < s.end; });
    for (; at < end && segment != segments_.end(); ++segment) {
        const size_t here = std::min(end, segment->end) - at, from = at - segment->begin;
        if (segment->bits) {
            read_bits(*segment, from, here, out);
        } else {
            std::copy_n(&numbers_[segment->offset + from], here, out);
        }
        at += here;
        out += here;
    }
    std::fill_n(out, end - at, Ring{0});
}

}  // namespace ward::mpc::internal
