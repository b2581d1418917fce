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
#include <span>
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

    // A fresh public coin, the same for all three sessions. It is the sum of three pieces, each
    // known to two parties; the third, who is the prover to those two, learns a half from each, so
    // not before both have received all that it sent before. 1 round.
    KeyStream challenge() {
        std::array<Ring, 4> of_own, of_next;
        streams_[0][2]->fill(std::span<uint64_t>(of_own));   // missed by the next party
        streams_[1][2]->fill(std::span<uint64_t>(of_next));  // by the previous one
        const int next = (party_.index() + 1) % 3, previous = (party_.index() + 2) % 3;
        const RingVector to_next(of_own.begin(), of_own.begin() + 2);
        const RingVector to_previous(of_next.begin() + 2, of_next.end());
        RingVector low(2), high(2);
        Party::Round round(party_);
        round.send(next, to_next);
        round.send(previous, to_previous);
        round.receive(previous, low);
        round.receive(next, high);
        round.finish();
        const std::array<Ring, 4> missing = {low[0], low[1], high[0], high[1]};
        std::array<Ring, 4> seed;
        for (size_t i = 0; i < 4; ++i) seed[i] = of_own[i] ^ of_next[i] ^ missing[i];
        challenges_.insert(challenges_.end(), seed.begin(), seed.end());
        return KeyStream(key_from(seed.data()));
    }

    // All challenges so far, as this party knows them. Who gives another half than the key says
    // would make parties prove and verify under different challenges, and could learn from a
    // verifier's last message; so the digests of the proof cover them (inner_product.h).
    const RingVector& challenges() const { return challenges_; }

    // Messages of the provers to the right verifiers of all sessions. Data and memory for what
    // comes must stay until `finish`. 1 round.
    class ToRight {
      public:
        explicit ToRight(Sessions& sessions)
            : round_(sessions.party()),
              next_((sessions.party().index() + 1) % 3),
              previous_((sessions.party().index() + 2) % 3) {}
        template <typename T, typename A>
        void add(const std::vector<T, A>& own, std::vector<T, A>& received) {
            round_.send(next_, own);
            received_.push_back(
                {reinterpret_cast<uint8_t*>(received.data()), received.size() * sizeof(T)});
        }
        void finish() {
            for (const std::span<uint8_t> part : received_) round_.receive(previous_, part);
            round_.finish();
        }

      private:
        Party::Round round_;
        int next_, previous_;
        std::vector<std::span<uint8_t>> received_;
    };

  private:
    static SecretBytes key_from(const Ring* words) {
        SecretBytes key(KeyStream::kKeyBytes);
        std::memcpy(key.reveal_mutable().data(), words, KeyStream::kKeyBytes);
        return key;
    }

    Party& party_;
    std::array<std::array<std::optional<KeyStream>, 3>, 2> streams_;
    RingVector challenges_;
};

}  // namespace ward::mpc::internal
