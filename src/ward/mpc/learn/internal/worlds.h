// What the same code needs of both worlds, on shares and in the clear.
#pragma once

#include <algorithm>

#include "ward/mpc/learn/twin.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/party.h"

namespace ward::mpc::internal {

inline SharedMatrix zeros(const SharedMatrix& like) { return scale(like, 0); }
inline RingMatrix zeros(const RingMatrix& like) { return scale(like, 0); }

// All values of several matrices in one row, and back.
inline void copy_values(const RingMatrix& from, size_t from_at, RingMatrix& to, size_t to_at,
                        size_t n) {
    std::copy_n(&from.values[from_at], n, &to.values[to_at]);
}
inline void copy_values(const SharedMatrix& from, size_t from_at, SharedMatrix& to, size_t to_at,
                        size_t n) {
    std::copy_n(&from.first[from_at], n, &to.first[to_at]);
    std::copy_n(&from.second[from_at], n, &to.second[to_at]);
}

template <typename Matrix>
Matrix reshaped(Matrix x, size_t rows, size_t cols) {
    x.rows = rows;
    x.cols = cols;
    return x;
}

// Named steps of the ledger; the twin has none.
struct NoScope {};
inline net::TrafficLedger::Scope scope_of(Party& party, const char* name) {
    return net::TrafficLedger::Scope(party.ledger(), name);
}
inline NoScope scope_of(Twin&, const char*) { return {}; }

// What a step has sent is verified at its end (with Security::kMalicious), which bounds the memory.
inline void verify(Party& party) { party.verify(); }
inline void verify(Twin&) {}

}  // namespace ward::mpc::internal
