#include "ward/mpc/share.h"

#include <algorithm>
#include <string>

#include "ward/core/error.h"

namespace ward::mpc {
namespace {

using net::TrafficLedger;

std::string shape_text(size_t rows, size_t cols) {
    return std::to_string(rows) + " x " + std::to_string(cols);
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
    Party::Round round(party);
    round.send((party.index() + 1) % 3, x.first);
    round.receive((party.index() + 2) % 3, out.values);
    for (size_t i = 0; i < out.size(); ++i) out.values[i] += x.first[i] + x.second[i];
    round.finish();
    return out;
}

RingMatrix open_to(Party& party, int receiver, const SharedMatrix& x) {
    const TrafficLedger::Scope scope(party.ledger(), "open");
    RingMatrix out;
    Party::Round round(party);
    if (party.index() == (receiver + 2) % 3) round.send(receiver, x.first);
    if (party.index() == receiver) {
        out = RingMatrix(x.rows, x.cols);
        round.receive((receiver + 2) % 3, out.values);
        for (size_t i = 0; i < out.size(); ++i) out.values[i] += x.first[i] + x.second[i];
    }
    round.finish();
    return out;
}

RingVector open(Party& party, const SharedBits& x) {
    const TrafficLedger::Scope scope(party.ledger(), "open");
    RingVector out(x.first.size());
    Party::Round round(party);
    round.send((party.index() + 1) % 3, x.first);
    round.receive((party.index() + 2) % 3, out);
    for (size_t i = 0; i < out.size(); ++i) out[i] ^= x.first[i] ^ x.second[i];
    round.finish();
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
