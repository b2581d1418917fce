#include "ward/mpc/internal/verify.h"

#include <algorithm>

namespace ward::mpc::internal {
namespace {

using Check = InnerProductCheck<Wide>;
using Vector = Check::Vector;

constexpr size_t kTable = NumberRelations::kPieces * NumberRelations::kPieces;

}  // namespace

// x_i y_(i+1) + y_i x_(i+1) + (x_i y_i + s_i - z_i) - s_(i+1) = 0.
void Verifier::add_products(std::span<const SharedMatrix* const> xs,
                            std::span<const SharedMatrix* const> ys, const Reshared& z,
                            const RingVector& received) {
    const size_t n = z.own_mask.size(), terms = 2 * xs.size();
    const NumberRelations::Room own = wide_.add(kProver, n, terms),
                                left = wide_.add(kLeft, n, terms),
                                right = wide_.add(kRight, n, terms);
    RingVector second(n, Ring{0});
    for (size_t k = 0; k < xs.size(); ++k) {
        for (size_t i = 0; i < n; ++i) {
            const Ring x1 = xs[k]->first[i], x2 = xs[k]->second[i];
            const Ring y1 = ys[k]->first[i], y2 = ys[k]->second[i];
            const size_t at = 2 * k * n + i;
            own.u[at] = right.v[at + n] = x1;
            own.u[at + n] = right.v[at] = y1;
            own.v[at] = left.u[at + n] = y2;
            own.v[at + n] = left.u[at] = x2;
            second[i] += x2 * y2;
        }
    }
    for (size_t i = 0; i < n; ++i) {
        own.claim[i] = 0 - z.next_mask[i];
        left.claim[i] = second[i] + z.next_mask[i] - received[i];
        right.claim[i] = 0 - z.own_mask[i];
    }
}

bool Verifier::pending() const {
    return !bits_.empty() || !narrow_.empty() || !wide_.empty() || !matrices_.empty();
}

void Verifier::check(Party& party) {
    if (!pending()) return;
    const net::TrafficLedger::Scope scope(party.ledger(), "verify");
    Sessions sessions(party);
    if (!narrow_.empty() || !wide_.empty() || !matrices_.empty()) check_numbers(sessions);
    if (!bits_.empty()) bits_.check(sessions);
    // The memory stays: the next step will need as much.
    bits_.clear();
    narrow_.clear();
    wide_.clear();
    matrices_.clear();
}

// w = w_left + w_right, the left part from a common key: those of wide relations, then of matrices.
Verifier::HighWords Verifier::exchange_high_words(Sessions& sessions) const {
    const auto size = [&](Role role) {
        return wide_.wide_count(role) + (matrices_.empty() ? 0 : MatrixRelations::kRelations);
    };
    RingVector own(size(kProver)), mask(own.size());
    wide_.high_words(own.data());
    if (!matrices_.empty()) matrices_.high_words(own.data() + wide_.wide_count(kProver));
    sessions.with_left(kProver).fill(std::span<uint64_t>(mask));
    for (size_t i = 0; i < own.size(); ++i) own[i] -= mask[i];
    HighWords out{RingVector(size(kLeft)), RingVector(size(kRight))};
    sessions.with_left(kLeft).fill(std::span<uint64_t>(out.left));
    sessions.send_right(own, out.right);
    return out;
}

void Verifier::check_numbers(Sessions& sessions) {
    if (!matrices_.empty()) {
        KeyStream challenge = sessions.challenge();
        matrices_.project(challenge);
    }
    const HighWords high = exchange_high_words(sessions);
    KeyStream challenge = sessions.challenge();
    Statement<Wide> statement;
    const size_t narrow_at = matrices_.folded_length();
    const size_t wide_at = narrow_at + narrow_.folded_length();
    const size_t length = wide_at + wide_.folded_length();
    for (Vector* vector : {&statement.u, &statement.v, &statement.left_u, &statement.right_v}) {
        vector->resize(length);
    }
    if (!matrices_.empty()) {
        matrices_.combine(challenge, high.left.data() + wide_.wide_count(kLeft),
                          high.right.data() + wide_.wide_count(kRight), statement, 0);
    }
    Vector tables(2 * kTable, Uint128{0});
    struct Part {
        NumberRelations& relations;
        Uint128* table;
        size_t at;
    };
    std::vector<Part> parts;
    if (!narrow_.empty()) parts.push_back({narrow_, &tables[0], narrow_at});
    if (!wide_.empty()) parts.push_back({wide_, &tables[kTable], wide_at});
    for (const Part& part : parts) {
        part.relations.combine(challenge, high.left.data(), high.right.data());
        part.relations.table(part.table);
    }
    const Check::Parts received = Check::exchange_table(sessions, tables);
    Check inner(sessions, length);
    challenge = sessions.challenge();
    for (const Part& part : parts) {
        const auto from = static_cast<size_t>(part.table - tables.data());
        const std::span left = std::span(received.left).subspan(from, kTable);
        const std::span right = std::span(received.right).subspan(from, kTable);
        part.relations.set_tables(left, right, statement);
        part.relations.fold(challenge, left, right, statement, part.at);
    }
    inner.run(std::move(statement));
}

}  // namespace ward::mpc::internal
