#include "ward/mpc/max_pool.h"

#include <algorithm>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/multiply.h"

namespace ward::mpc {
namespace {

constexpr int kComparedBits = 32;

// Several matrices of one shape as rows of one, and back.
SharedMatrix joined(std::span<const SharedMatrix> parts) {
    SharedMatrix out(parts.size(), parts.front().size());
    for (size_t i = 0; i < parts.size(); ++i) {
        std::copy(parts[i].first.begin(), parts[i].first.end(), &out.first[i * out.cols]);
        std::copy(parts[i].second.begin(), parts[i].second.end(), &out.second[i * out.cols]);
    }
    return out;
}

SharedMatrix part_of(const SharedMatrix& all, size_t i, const SharedMatrix& like) {
    SharedMatrix out(like.rows, like.cols);
    std::copy_n(&all.first[i * all.cols], all.cols, out.first.begin());
    std::copy_n(&all.second[i * all.cols], all.cols, out.second.begin());
    return out;
}

// Matches of a level: entries 2i and 2i + 1 meet, the last of an odd number goes on as it is.
size_t matches(size_t entries) { return entries / 2; }

}  // namespace

LargestResult largest(Party& party, std::vector<SharedMatrix> entries) {
    const net::TrafficLedger::Scope scope(party.ledger(), "largest");
    if (entries.empty()) throw Error(ErrorCode::kUsage, "the largest of no values");
    LargestResult out;
    out.tournament.entries = entries.size();
    while (entries.size() > 1) {
        std::vector<SharedMatrix> leads, seconds;
        for (size_t i = 0; i < matches(entries.size()); ++i) {
            leads.push_back(subtract(entries[2 * i], entries[2 * i + 1]));
            seconds.push_back(std::move(entries[2 * i + 1]));
        }
        ReluResult result = relu(party, joined(leads), kComparedBits);
        const SharedMatrix winners = add(result.value, joined(seconds));
        out.tournament.levels.push_back(std::move(result.active));
        std::vector<SharedMatrix> next;
        for (size_t i = 0; i < leads.size(); ++i) {
            next.push_back(part_of(winners, i, leads.front()));
        }
        if (entries.size() % 2 != 0) next.push_back(std::move(entries.back()));
        entries = std::move(next);
    }
    out.value = std::move(entries.front());
    return out;
}

std::vector<SharedMatrix> to_winner(Party& party, const Tournament& tournament,
                                    const SharedMatrix& value) {
    const net::TrafficLedger::Scope scope(party.ledger(), "to_winner");
    std::vector<size_t> sizes;  // entries of each level
    for (size_t n = tournament.entries; n > 1; n = n - matches(n)) sizes.push_back(n);
    std::vector<SharedMatrix> at = {value};
    for (size_t level = sizes.size(); level-- > 0;) {
        const size_t pairs = matches(sizes[level]);
        const SharedMatrix both = joined({at.data(), pairs});
        const SharedMatrix left = select(party, tournament.levels[level], both);
        const SharedMatrix right = subtract(both, left);
        std::vector<SharedMatrix> next;
        for (size_t i = 0; i < pairs; ++i) {
            next.push_back(part_of(left, i, value));
            next.push_back(part_of(right, i, value));
        }
        if (sizes[level] % 2 != 0) next.push_back(std::move(at.back()));
        at = std::move(next);
    }
    return at;
}

}  // namespace ward::mpc
