#include "ward/mpc/internal/terms.h"

#include <algorithm>

#include "ward/core/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ward::mpc::internal {
namespace {

constexpr size_t kWord = 64;
constexpr size_t kLine = 8;  // numbers in a line of the cache

// The 64 bits that begin at bit `skip` of the first word.
uint64_t bits_at(const Ring* words, size_t skip) {
    return skip == 0 ? words[0] : words[0] >> skip | words[1] << (kWord - skip);
}

// base + slope b for bits `skip` and following of the words; reads one word behind the last.
void expand_portable(const Ring* words, size_t skip, size_t count, Ring base, Ring slope,
                     Ring* out) {
    for (size_t begin = 0; begin < count; begin += kWord, ++words) {
        const uint64_t word = bits_at(words, skip);
        const size_t here = std::min(kWord, count - begin);
        for (size_t i = 0; i < here; ++i) out[begin + i] = base + (slope & (0 - (word >> i & 1)));
    }
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void expand_avx512(const Ring* words, size_t skip, size_t count,
                                                      Ring base, Ring slope, Ring* out) {
    const __m512i clear = _mm512_set1_epi64(static_cast<int64_t>(base));
    const __m512i set = _mm512_set1_epi64(static_cast<int64_t>(base + slope));
    const size_t whole = count / kWord;
    for (size_t w = 0; w < whole; ++w) {
        const uint64_t word = bits_at(words + w, skip);
        for (size_t k = 0; k < 8; ++k) {
            const auto bits = static_cast<__mmask8>(word >> (8 * k));
            _mm512_storeu_si512(out + kWord * w + 8 * k, _mm512_mask_mov_epi64(clear, bits, set));
        }
    }
    expand_portable(words + whole, skip, count - kWord * whole, base, slope, out + kWord * whole);
}
#endif

void expand(const Ring* words, size_t skip, size_t count, Ring base, Ring slope, Ring* out) {
#if defined(__x86_64__)
    if (isa() == Isa::kAvx512) return expand_avx512(words, skip, count, base, slope, out);
#endif
    expand_portable(words, skip, count, base, slope, out);
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
    expand(&bits_[segment.offset + from / kWord], from % kWord, count, segment.base, segment.slope,
           out);
}

auto Terms::segment_at(size_t at) const {
    return std::upper_bound(segments_.begin(), segments_.end(), at,
                            [](size_t value, const Segment& s) { return value < s.end; });
}

const Ring* Terms::view(size_t at, size_t count, Ring* room) const {
    const auto segment = segment_at(at);
    if (segment == segments_.end() || segment->bits || at + count > segment->end) {
        read(at, count, room);
        return room;
    }
    const Ring* out = &numbers_[segment->offset + (at - segment->begin)];
    // A reader takes pieces that are far apart in turn: what it takes of this one the next time.
    for (size_t i = 0; i < count; i += kLine) __builtin_prefetch(out + count + i);
    return out;
}

void Terms::read(size_t at, size_t count, Ring* out) const {
    const size_t end = at + count;
    auto segment = segment_at(at);
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
