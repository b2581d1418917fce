// Text -> small number, for categories, classes and missing markers. Not thread-safe for writing;
// any number of threads may call `find`.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "ward/data/internal/hash.h"

namespace ward::data::internal {

class StringTable {
  public:
    static constexpr int32_t kAbsent = -1;

    // The value of `text`, or kAbsent.
    int32_t find(std::string_view text) const {
        if (slots_.empty()) return kAbsent;
        const uint64_t hash = hash_text(text);
        const Slot* slot = probe(text, hash);
        return slot->entry == 0 ? kAbsent : values_[slot->entry - 1];
    }

    // The value of `text`, after adding it with `value` when it is new.
    int32_t add(std::string_view text, int32_t value) {
        if ((texts_.size() + 1) * 2 > slots_.size()) grow();
        const uint64_t hash = hash_text(text);
        Slot* slot = const_cast<Slot*>(probe(text, hash));
        if (slot->entry != 0) return values_[slot->entry - 1];
        texts_.emplace_back(text);
        values_.push_back(value);
        *slot = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(texts_.size())};
        return value;
    }
    int32_t add(std::string_view text) { return add(text, static_cast<int32_t>(texts_.size())); }

    size_t size() const { return texts_.size(); }
    const std::deque<std::string>& texts() const { return texts_; }  // in order of arrival

  private:
    struct Slot {
        uint32_t tag = 0;
        uint32_t entry = 0;  // index + 1; 0: free
    };

    const Slot* probe(std::string_view text, uint64_t hash) const {
        const size_t mask = slots_.size() - 1;
        const auto tag = static_cast<uint32_t>(hash >> 32);
        for (size_t i = hash & mask;; i = (i + 1) & mask) {
            const Slot& slot = slots_[i];
            if (slot.entry == 0) return &slot;
            if (slot.tag == tag && texts_[slot.entry - 1] == text) return &slot;
        }
    }

    void grow() {
        std::vector<Slot> larger(std::bit_ceil(std::max<size_t>(16, slots_.size() * 2)));
        slots_.swap(larger);
        for (size_t i = 0; i < texts_.size(); ++i) {
            const uint64_t hash = hash_text(texts_[i]);
            size_t at = hash & (slots_.size() - 1);
            while (slots_[at].entry != 0) at = (at + 1) & (slots_.size() - 1);
            slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(i + 1)};
        }
    }

    std::vector<Slot> slots_;
    std::deque<std::string> texts_;
    std::vector<int32_t> values_;
};

}  // namespace ward::data::internal
