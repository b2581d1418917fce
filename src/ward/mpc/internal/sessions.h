// The three checks that run side by side when results are verified: each party proves to both
// others that its messages were right, and takes part in the proofs of the two others.
//
// In the proof of party i ("the prover") party i-1 is its left and party i+1 its right verifier.
// What prover and left share is parts i of all values and key i; prover and right, parts i+1 and
// key i+1; both verifiers, key i+2. So a party is the prover of its own session, left verifier in
// that of the next party, right verifier in that of the previous one.
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "ward/core/key_stream.h"
#include "ward/mpc/party.h"

namespace ward::mpc::internal {

enum Role : size_t { kProver = 0, kLeft = 1, kRight = 2 };

class Sessions {
  public:
    explicit Sessions(Party& party) : party_(party) {
        // Each key gives three streams: for prover and left, prover and right, both verifiers.
        const int self = party.index(), next = (self + 1) % 3;
        for (int key : {self, next}) {
            std::array<Ring, 12> words;
            party.draw(key, std::span<Ring>(words));
            for (size_t use = 0; use < 3; ++use) {
                streams_[key == self ? 0 : 1][use].emplace(key_from(&words[4 * use]));
            }
            wipe(words.data(), sizeof(words));
        }
    }

    Party& party() { return party_; }

    // Known to prover and left verifier; not to be asked for as kRight.
    KeyStream& with_left(Role role) { return *streams_[role == kProver ? 0 : 1][0]; }
    // Known to prover and right verifier; not as kLeft.
    KeyStream& with_right(Role role) { return *streams_[role == kProver ? 1 : 0][1]; }

    // A fresh challenge for each session, indexed by role. The prover learns it from both
    // verifiers, a half from each, so not before both have received all that it sent before. 1
    // round.
    std::array<std::optional<KeyStream>, 3> challenge() {
        std::array<Ring, 4> as_left, as_right;
        streams_[0][2]->fill(std::span<uint64_t>(as_left));   // session of the next party: key i
        streams_[1][2]->fill(std::span<uint64_t>(as_right));  // of the previous one: key i+1
        const int next = (party_.index() + 1) % 3, previous = (party_.index() + 2) % 3;
        const RingVector to_next(as_left.begin(), as_left.begin() + 2);
        const RingVector to_previous(as_right.begin() + 2, as_right.end());
        RingVector low(2), high(2);
        Party::Round round(party_);
        round.send(next, to_next);
        round.send(previous, to_previous);
        round.receive(previous, low);
        round.receive(next, high);
        round.finish();
        const std::array<Ring, 4> own = {low[0], low[1], high[0], high[1]};
        std::array<std::optional<KeyStream>, 3> out;
        out[kProver].emplace(key_from(own.data()));
        out[kLeft].emplace(key_from(as_left.data()));
        out[kRight].emplace(key_from(as_right.data()));
        const std::array<Ring, 4>* seeds[3] = {&own, &as_left, &as_right};
        for (Role role : {kProver, kLeft, kRight}) {
            challenges_[role].insert(challenges_[role].end(), seeds[role]->begin(),
                                     seeds[role]->end());
        }
        return out;
    }

    // All challenges of a session so far, as this party knows them. A verifier that gives the
    // prover another half than the key says would make it prove under a challenge of its own, and
    // could learn from the other verifier's last message; so the prover's digests cover them.
    const RingVector& challenges(Role role) const { return challenges_[role]; }

    // The prover's message to the right verifier of every session. 1 round.
    template <typename T, typename A>
    void send_right(const std::vector<T, A>& own, std::vector<T, A>& received) {
        Party::Round round(party_);
        round.send((party_.index() + 1) % 3, own);
        round.receive((party_.index() + 2) % 3, received);
        round.finish();
    }

  private:
    static SecretBytes key_from(const Ring* words) {
        SecretBytes key(KeyStream::kKeyBytes);
        std::memcpy(key.reveal_mutable().data(), words, KeyStream::kKeyBytes);
        return key;
    }

    Party& party_;
    std::array<std::array<std::optional<KeyStream>, 3>, 2> streams_;
    std::array<RingVector, 3> challenges_;
};

}  // namespace ward::mpc::internal
