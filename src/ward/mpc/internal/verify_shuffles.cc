#include "ward/mpc/internal/verify_shuffles.h"

#include <algorithm>

#include "ward/mpc/internal/row_sums.h"

namespace ward::mpc::internal {
namespace {

constexpr size_t kSums = kRowSums;

// The sums of rows that the selection says.
RingVector sums_of(const Bytes& selection, const RingVector& x, size_t rows, size_t cols) {
    RingVector out(kSums * cols);
    row_sums(selection.data(), x.data(), rows, cols, out.data(), cols);
    return out;
}

// sums_of as integers: of both halves of the words apart, fewer than 2^32 of each.
std::vector<Uint128> whole_sums_of(const Bytes& selection, const RingVector& x, size_t rows,
                                   size_t cols) {
    RingVector half(x.size());
    for (size_t i = 0; i < x.size(); ++i) half[i] = x[i] & 0xffff'ffff;
    const RingVector low = sums_of(selection, half, rows, cols);
    for (size_t i = 0; i < x.size(); ++i) half[i] = x[i] >> 32;
    const RingVector high = sums_of(selection, half, rows, cols);
    std::vector<Uint128> out(low.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = (Uint128{high[i]} << 32) + low[i];
    return out;
}

}  // namespace

RingVector permuted(const RingVector& values, size_t cols, const std::vector<uint32_t>& order) {
    RingVector out(order.size() * cols);
    for (size_t r = 0; r < order.size(); ++r) {
        std::copy_n(&values[order[r] * cols], cols, &out[r * cols]);
    }
    return out;
}

// Factors of relations: those of sums times those of columns.
struct ShuffleRelations::Factors {
    Factors(KeyStream& challenge, size_t cols) : of_sum(kSums), of_column(cols) {
        for (RingVector* factors : {&of_sum, &of_column}) {
            for (Ring& factor : *factors) {
                factor = static_cast<Ring>(Wide::draw_challenge(challenge));
            }
        }
    }

    // Of each row of x the sum over its columns.
    void fold_data(const RingVector& x, Uint128* out) const {
        const size_t cols = of_column.size();
        for (size_t r = 0; r < x.size() / cols; ++r) {
            Uint128 sum = 0;
            for (size_t c = 0; c < cols; ++c) sum += Uint128{of_column[c]} * x[r * cols + c];
            out[r] = sum;
        }
    }
    // The same of the permuted selection.
    void fold_selection(const Pass& pass, Uint128* out) const {
        for (size_t r = 0; r < pass.rows; ++r) {
            const uint8_t* selected = &pass.selection[r / kRowGroup * kSums];
            Ring sum = 0;  // of 44 factors of 52 bits
            for (size_t k = 0; k < kSums; ++k) {
                sum += of_sum[k] & (0 - Ring{selected[k] >> (r % kRowGroup) & 1u});
            }
            out[pass.order[r]] = sum;
        }
    }

    RingVector of_sum, of_column;
};

// With `part` as role 1's or role 2's part of P x, the message of role 1 is part - y_(p+1) and that
// of role 2 is part - y_p; y_(p+2) is the sum of both messages.
void ShuffleRelations::add(const Roles& roles, SharedMatrix x, std::vector<uint32_t> order,
                           const RingVector& part, const SharedMatrix& y) {
    const size_t n = x.size();
    Pass pass{
        .rows = x.rows, .cols = x.cols, .order = std::move(order), .selection = {}, .proofs = {}};
    auto& [one, two] = pass.proofs;
    one.claimed.resize(n);
    two.claimed.resize(n);
    if (roles.role == 0) {
        one.role = kLeft;
        two.role = kRight;
        for (size_t i = 0; i < n; ++i) one.claimed[i] = 0 - y.second[i];
        for (size_t i = 0; i < n; ++i) two.claimed[i] = 0 - y.first[i];
        one.data = std::move(x.second);
        two.data = std::move(x.first);
    } else if (roles.role == 1) {
        one.role = kProver;
        two.role = kLeft;
        const RingVector common = permuted(x.second, x.cols, pass.order);
        for (size_t i = 0; i < n; ++i) {
            const Ring own = part[i] - y.first[i];
            one.claimed[i] = common[i] - own;
            two.claimed[i] = own - y.second[i];
        }
        one.data = std::move(x.first);
    } else {
        one.role = kRight;
        two.role = kProver;
        const RingVector common = permuted(x.first, x.cols, pass.order);
        for (size_t i = 0; i < n; ++i) {
            const Ring own = part[i] - y.second[i];
            one.claimed[i] = common[i] - (y.first[i] - own);
            two.claimed[i] = 0 - y.second[i];
        }
        two.data = std::move(x.second);
    }
    passes_.push_back(std::move(pass));
}

void ShuffleRelations::project(KeyStream& challenge) {
    for (Pass& pass : passes_) {
        pass.selection.resize(selection_bytes(pass.rows));
        challenge.fill(std::span<uint8_t>(pass.selection));
        for (Proof& proof : pass.proofs) project(pass, proof);
    }
}

void ShuffleRelations::project(const Pass& pass, Proof& proof) {
    proof.claim = sums_of(pass.selection, proof.claimed, pass.rows, pass.cols);
    proof.claimed = {};
    if (proof.role != kProver) return;
    std::vector<Uint128> sums = whole_sums_of(
        pass.selection, permuted(proof.data, pass.cols, pass.order), pass.rows, pass.cols);
    proof.high.resize(sums.size());
    // See NumberRelations::high_words; what a prover claims is b.
    for (size_t i = 0; i < sums.size(); ++i) {
        const Uint128 sum = sums[i] + proof.claim[i];
        proof.high[i] = static_cast<Ring>(sum >> 64) + (static_cast<Ring>(sum) != 0 ? 1 : 0);
    }
}

size_t ShuffleRelations::wide_count(Role role) const {
    size_t out = 0;
    for (const Pass& pass : passes_) {
        for (const Proof& proof : pass.proofs) out += proof.role == role ? kSums * pass.cols : 0;
    }
    return out;
}

void ShuffleRelations::high_words(Ring* out) const {
    for (const Pass& pass : passes_) {
        for (const Proof& proof : pass.proofs) {
            out = std::copy(proof.high.begin(), proof.high.end(), out);
        }
    }
}

// The longest of the three sessions, each of which this party takes part in.
size_t ShuffleRelations::folded_length() const {
    size_t longest = 0;
    for (Role role : {kProver, kLeft, kRight}) {
        size_t length = 0;
        for (const Pass& pass : passes_) {
            for (const Proof& proof : pass.proofs) length += proof.role == role ? pass.rows : 0;
        }
        longest = std::max(longest, length);
    }
    return longest;
}

Uint128 ShuffleRelations::sum_of_claims(const Factors& factors, const Proof& proof, const Ring* w) {
    const size_t cols = factors.of_column.size();
    Uint128 sum = 0;
    for (size_t k = 0; k < kSums; ++k) {
        for (size_t c = 0; c < cols; ++c) {
            const size_t i = k * cols + c;
            sum += Uint128{factors.of_sum[k]} * factors.of_column[c] *
                   ((Uint128{w[i]} << 64) - proof.claim[i]);
        }
    }
    return sum;
}

void ShuffleRelations::combine(KeyStream& challenge, const Ring* left_w, const Ring* right_w,
                               Statement<Wide>& statement, size_t at) const {
    const size_t length = folded_length();
    for (auto* vector : {&statement.u, &statement.v, &statement.left_u, &statement.right_v}) {
        std::fill_n(vector->begin() + static_cast<std::ptrdiff_t>(at), length, Uint128{0});
    }
    std::array<size_t, 3> next = {at, at, at};  // by role
    for (const Pass& pass : passes_) {
        const Factors factors(challenge, pass.cols);
        for (const Proof& proof : pass.proofs) {
            const bool data_is_u = &proof == &pass.proofs[0];
            const size_t to = next[proof.role];
            next[proof.role] += pass.rows;
            const auto fold = [&](bool data, Uint128* out) {
                data ? factors.fold_data(proof.data, out) : factors.fold_selection(pass, out);
            };
            if (proof.role == kProver) {
                fold(data_is_u, &statement.u[to]);
                fold(!data_is_u, &statement.v[to]);
            } else if (proof.role == kLeft) {
                fold(data_is_u, &statement.left_u[to]);
                statement.a += sum_of_claims(factors, proof, left_w);
                left_w += proof.claim.size();
            } else {
                fold(!data_is_u, &statement.right_v[to]);
                statement.b += sum_of_claims(factors, proof, right_w);
                right_w += proof.claim.size();
            }
        }
    }
}

}  // namespace ward::mpc::internal
