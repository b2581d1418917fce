// The passes themselves, over 64-byte blocks. Included once per variant, after the variant has
// defined `struct Block` (load, equal) in an anonymous namespace, so that no function compiled for
// one instruction set can be linked into another. For the same reason nothing of std:: is used.
#include <cstddef>
#include <cstdint>

namespace ward::data::internal {
namespace {

constexpr size_t kBlockBytes = 64;

// Bit i = parity of bits 0..i: set from each opening quote up to before its closing one.
inline uint64_t prefix_parity(uint64_t bits) {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    return bits;
}

inline void note_boundaries(uint64_t newlines, size_t at, size_t* first, size_t* last) {
    if (newlines == 0) return;
    if (*first == kNowhere) *first = at + static_cast<size_t>(__builtin_ctzll(newlines));
    *last = at + 63u - static_cast<size_t>(__builtin_clzll(newlines));
}

inline void summarise_block(const Block& block, size_t at, uint64_t* parity,
                            StretchSummary* summary) {
    const uint64_t quotes = block.equal('"');
    const uint64_t newlines = block.equal('\n');
    uint64_t inside = *parity;
    if (quotes != 0) {
        inside ^= prefix_parity(quotes);
        *parity = static_cast<uint64_t>(static_cast<int64_t>(inside) >> 63);
        summary->quotes += static_cast<size_t>(__builtin_popcountll(quotes));
    }
    summary->newlines += static_cast<size_t>(__builtin_popcountll(newlines));
    note_boundaries(newlines & ~inside, at, &summary->first_boundary[0],
                    &summary->last_boundary[0]);
    note_boundaries(newlines & inside, at, &summary->first_boundary[1], &summary->last_boundary[1]);
}

StretchSummary summarise(const uint8_t* data, size_t size) {
    StretchSummary summary;
    uint64_t parity = 0;
    size_t at = 0;
    for (; at + kBlockBytes <= size; at += kBlockBytes)
        summarise_block(Block(data + at), at, &parity, &summary);
    if (at < size) {
        uint8_t tail[kBlockBytes] = {};
        __builtin_memcpy(tail, data + at, size - at);
        summarise_block(Block(tail), at, &parity, &summary);
    }
    return summary;
}

// Eight positions at a time without a branch per bit; the surplus is overwritten by the next block.
inline uint32_t* write_positions(uint64_t bits, uint32_t base, uint32_t* out) {
    uint32_t* const end = out + __builtin_popcountll(bits);
    while (bits != 0) {
        for (int i = 0; i < 8; ++i) {
            // On the last round some of the eight lie past the end; any value will do there.
            out[i] = base + static_cast<uint32_t>(__builtin_ctzll(bits | (uint64_t{1} << 63)));
            bits &= bits - (bits != 0);
        }
        out += 8;
    }
    return end;
}

inline uint32_t* index_block(const Block& block, uint32_t base, uint8_t delimiter, ScanState* state,
                             uint32_t* out) {
    const uint64_t quotes = block.equal('"');
    uint64_t inside = state->inside_quotes;
    if (quotes != 0) {
        state->any_quote = true;
        inside ^= prefix_parity(quotes);
        state->inside_quotes = static_cast<uint64_t>(static_cast<int64_t>(inside) >> 63);
    }
    return write_positions((block.equal(delimiter) | block.equal('\n')) & ~inside, base, out);
}

size_t index(const uint8_t* data, size_t size, uint32_t base, uint8_t delimiter, ScanState* state,
             uint32_t* out) {
    uint32_t* const begin = out;
    size_t at = 0;
    for (; at + kBlockBytes <= size; at += kBlockBytes)
        out =
            index_block(Block(data + at), base + static_cast<uint32_t>(at), delimiter, state, out);
    if (at < size) {
        uint8_t tail[kBlockBytes] = {};
        __builtin_memcpy(tail, data + at, size - at);
        out = index_block(Block(tail), base + static_cast<uint32_t>(at), delimiter, state, out);
    }
    return static_cast<size_t>(out - begin);
}

}  // namespace
}  // namespace ward::data::internal
