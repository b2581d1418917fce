#include "ward/mpc/share.h"

#include <algorithm>
#include <string>

#include "ward/core/digest.h"
#include "ward/core/error.h"

namespace ward::mpc {
namespace {

using net::TrafficLedger;

std::string shape_text(size_t rows, size_t cols) {
    return std::to_string(rows) + " x " + std::to_string(cols);
}

constexpr int kEveryone = -1;

Bytes digest_of(const RingVector& values) {
    const std::string text = sha256_hex(
        ByteView(reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(Ring)));
    return {text.begin(), text.end()};
}

// Part i-1 for party i: from party i-1 whole and, with kMalicious, as a digest from party i+1.
RingVector missing_parts(Party& party, const RingVector& first, const RingVector& second,
                         int receiver) {
    party.verify();
    const bool checked = party.security() == Security::kMalicious;
    const int self = party.index(), next = (self + 1) % 3, previous = (self + 2) % 3;
    const auto receives = [receiver](int who) { return receiver == kEveryone || receiver == who; };
    const Bytes confirmation = checked && receives(previous) ? digest_of(second) : Bytes();
    Bytes expected(checked ? 64 : 0);
    RingVector out(receives(self) ? first.size() : 0);
    Party::Round round(party);
    if (receives(next)) round.send(next, first);
    if (checked && receives(previous)) round.send(previous, confirmation);
    if (receives(self)) {
        round.receive(previous, out);
        if (checked) round.receive(next, expected);
    }
    round.finish();
    if (checked && receives(self) && digest_of(out) != expected) {
        throw Error(ErrorCode::kCorrupt,
                    "verification failed: two parties give different parts of an opened value");
    }
    return out;
}

}  // namespace

SharedMatrix share(Party& party, int owner, const RingMatrix* values, size_t rows, size_t cols) {
    const TrafficLedger::Scope scope(party.ledger(), "share");
    SharedMatrix out(rows, cols);
    Party::Round round(party);
    if (party.index() == owner) {
        if (values == nullptr || values->rows != rows || values->cols != cols) {
            throw Error(ErrorCode::kUsage,
                        "the owner must give a matrix of " + shape_text(rows, cols) + ", got " +
                            (values == nullptr ? "none" : shape_text(values->rows, values->cols)));
        }
        party.draw(owner, std::span<Ring>(out.first));
        for (size_t i = 0; i < out.size(); ++i) out.second[i] = values->values[i] - out.first[i];
        round.send((owner + 1) % 3, out.second);
    } else if (party.index() == (owner + 1) % 3) {
        round.receive(owner, out.first);
        std::fill(out.second.begin(), out.second.end(), Ring{0});
    } else {
        std::fill(out.first.begin(), out.first.end(), Ring{0});
        party.draw(owner, std::span<Ring>(out.second));
    }
    round.finish();
    return out;
}

SharedMatrix share_public(const Party& party, const RingMatrix& values) {
    SharedMatrix out(values.rows, values.cols);
    std::fill(out.first.begin(), out.first.end(), Ring{0});
    std::fill(out.second.begin(), out.second.end(), Ring{0});
    if (party.index() == 0) out.first = values.values;
    if (party.index() == 2) out.second = values.values;
    return out;
}

RingMatrix open(Party& party, const SharedMatrix& x) {
    const TrafficLedger::Scope scope(party.ledger(), "open");
    RingMatrix out(x.rows, x.cols);
    out.values = missing_parts(party, x.first, x.second, kEveryone);
    for (size_t i = 0; i < out.size(); ++i) out.values[i] += x.first[i] + x.second[i];
    return out;
}

RingMatrix open_to(Party& party, int receiver, const SharedMatrix& x) {
    const TrafficLedger::Scope scope(party.ledger(), "open");
    RingMatrix out;
    RingVector missing = missing_parts(party, x.first, x.second, receiver);
    if (party.index() != receiver) return out;
    out.rows = x.rows;
    out.cols = x.cols;
    out.values = std::move(missing);
    for (size_t i = 0; i < out.size(); ++i) out.values[i] += x.first[i] + x.second[i];
    return out;
}

RingVector open(Party& party, const SharedBits& x) {
    const TrafficLedger::Scope scope(party.ledger(), "open");
    RingVector out = missing_parts(party, x.first, x.second, kEveryone);
    for (size_t i = 0; i < out.size(); ++i) out[i] ^= x.first[i] ^ x.second[i];
    return out;
}

std::array<SharedMatrix, 3> split(const RingMatrix& values, Random& random) {
    std::array<RingVector, 3> parts;
    for (RingVector& part : parts) part.resize(values.size());
    random.fill(std::span<Ring>(parts[0]));
    random.fill(std::span<Ring>(parts[1]));
    for (size_t i = 0; i < values.size(); ++i) {
        parts[2][i] = values.values[i] - parts[0][i] - parts[1][i];
    }
    std::array<SharedMatrix, 3> out;
    for (size_t i = 0; i < 3; ++i) {
        out[i].rows = values.rows;
        out[i].cols = values.cols;
        out[i].first = parts[i];
        out[i].second = parts[(i + 1) % 3];
    }
    return out;
}

}  // namespace ward::mpc
