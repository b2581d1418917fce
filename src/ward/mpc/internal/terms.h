// A long list of numbers modulo 2^64 of which most are only bits in disguise: one side of the
// products of a proof (verify_numbers.h). Bits stay packed, 64 to a word, and become numbers where
// they are read, because the proof is bound by memory, not by arithmetic.
//
// Thread safety: none.
#pragma once

#include <vector>

#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

class Terms {
  public:
    // Room for numbers, to be filled before the next call.
    Ring* add_numbers(size_t count);
    // base + slope b for the first bits b of these words.
    void add_bits(const RingVector& words, size_t count, Ring base, Ring slope);
    void clear();
    size_t size() const { return size_; }

    // Terms at, at + 1, ...; zeros behind the last one.
    void read(size_t at, size_t count, Ring* out) const;
    // The same without a copy where they stand side by side; else they are read to `room`.
    const Ring* view(size_t at, size_t count, Ring* room) const;

  private:
    struct Segment {
        size_t begin, end;
        size_t offset;  // in numbers_ or, in words, in bits_
        bool bits;
        Ring base, slope;
    };
    auto segment_at(size_t at) const;
    void read_bits(const Segment& segment, size_t from, size_t count, Ring* out) const;

    std::vector<Segment> segments_;
    RingVector numbers_, bits_;
    size_t size_ = 0;
};

}  // namespace ward::mpc::internal
