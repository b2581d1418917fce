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
    const NumberRelations::Room own = wide_.add_numbers(kProver, n, terms),
                                left = wide_.add_numbers(kLeft, n, terms),
                                right = wide_.add_numbers(kRight, n, terms);
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

bool Verifier::pending() const { return !bits_.empty() || has_numbers(); }

void Verifier::check(Party& party) {
    if (!pending()) return;
    const net::TrafficLedger::Scope scope(party.ledger(), "verify");
    Sessions sessions(party);
    const bool numbers = has_numbers(), bits = !bits_.empty();
    if (has_projections()) {
        KeyStream challenge = sessions.challenge();
        matrices_.project(challenge);
        shuffles_.project(challenge);
    }
    const HighWords high = numbers ? exchange_high_words(sessions) : HighWords();
    KeyStream challenge = sessions.challenge();
    Check::Parts parts;
    std::optional<Check> check;
    {
        if (numbers) {
            parts = prove_numbers(sessions, challenge, high);
            check.emplace(sessions, length_of_numbers());
        }
        Sessions::ToRight round(sessions);
        if (numbers) {
            round.add(parts.own, parts.right);
            check->deal(round);
        }
        if (bits) bits_.prove(sessions, challenge, round);
        round.finish();
    }
    challenge = sessions.challenge();
    if (numbers) fold_numbers(challenge, parts);
    if (bits) bits_.fold(challenge);
    if (numbers) check->run(statement_);
    if (bits) bits_.finish();
    // The memory stays: the next step will need as much.
    bits_.clear();
    narrow_.clear();
    wide_.clear();
    matrices_.clear();
    shuffles_.clear();
}

// w = w_left + w_right, the left part from a common key: those of wide relations, of matrices, then
// of shuffles.
Verifier::HighWords Verifier::exchange_high_words(Sessions& sessions) const {
    const auto size = [&](Role role) {
        return wide_.wide_count(role) + wide_count_of_matrices() + shuffles_.wide_count(role);
    };
    RingVector own(size(kProver)), mask(own.size());
    wide_.high_words(own.data());
    const size_t of_wide = wide_.wide_count(kProver);
    if (!matrices_.empty()) matrices_.high_words(own.data() + of_wide);
    shuffles_.high_words(own.data() + of_wide + wide_count_of_matrices());
    sessions.with_left(kProver).fill(std::span<uint64_t>(mask));
    for (size_t i = 0; i < own.size(); ++i) own[i] -= mask[i];
    HighWords out{RingVector(size(kLeft)), RingVector(size(kRight))};
    sessions.with_left(kLeft).fill(std::span<uint64_t>(out.left));
    Sessions::ToRight round(sessions);
    round.add(own, out.right);
    round.finish();
    return out;
}

// Matrices first, then narrow, then wide relations, then shuffles.
size_t Verifier::length_of_numbers() const {
    return matrices_.folded_length() + narrow_.folded_length() + wide_.folded_length() +
           shuffles_.folded_length();
}

Check::Parts Verifier::prove_numbers(Sessions& sessions, KeyStream& challenge,
                                     const HighWords& high) {
    statement_.reset(length_of_numbers());
    const Ring* left_w = high.left.data() + wide_.wide_count(kLeft);
    const Ring* right_w = high.right.data() + wide_.wide_count(kRight);
    if (!matrices_.empty()) matrices_.combine(challenge, left_w, right_w, statement_, 0);
    if (!shuffles_.empty()) {
        const size_t of_matrices = wide_count_of_matrices();
        shuffles_.combine(challenge, left_w + of_matrices, right_w + of_matrices, statement_,
                          length_of_numbers() - shuffles_.folded_length());
    }
    Vector tables(2 * kTable, Uint128{0});
    Uint128* table = tables.data();
    for (NumberRelations* relations : {&narrow_, &wide_}) {
        if (!relations->empty()) {
            relations->combine(challenge, high.left.data(), high.right.data());
            relations->table(table);
        }
        table += kTable;
    }
    return Check::mask_table(sessions, std::move(tables));
}

void Verifier::fold_numbers(KeyStream& challenge, const Check::Parts& parts) {
    size_t at = matrices_.folded_length(), table = 0;
    for (const NumberRelations* relations : {&narrow_, &wide_}) {
        const std::span left = std::span(parts.left).subspan(table, kTable);
        const std::span right = std::span(parts.right).subspan(table, kTable);
        table += kTable;
        if (relations->empty()) continue;
        relations->set_tables(left, right, statement_);
        relations->fold(challenge, left, right, statement_, at);
        at += relations->folded_length();
    }
}

}  // namespace ward::mpc::internal
