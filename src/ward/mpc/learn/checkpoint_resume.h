// Where three parties go on from, each with its own checkpoints (checkpoint.h).
//
// They tell each other the steps they have saved and take the last one that all three have. Before
// it is used, the two holders of every part compare its digest and the step, so that states of
// different runs, changed ones, and parties that were told different steps do not go on.
//
// Rolling back: without trusted hardware nobody can tell that an old file is old, but a newer state
// at any honest party gives it away. Parties are cut off at most one save apart, so a common step
// that lies further behind the newest one is refused. Who brings old files (one party) can thus
// undo one save at most; all three together, with all their files, can undo anything.
//
// Randomness: semi-honest parties go on with the keys of the run, so that repeated steps send the
// same messages (party.h). With Security::kMalicious the keys are fresh at each start and are not
// saved: a party that deviates could otherwise have other messages sent under the same masks. The
// model of a resumed run then differs from that of an uninterrupted one by the dither of divisions.
//
// Thread safety: as Party. Errors: kRefused as above and when the data of this party has changed,
// those of checkpoint.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ward/mpc/learn/checkpoint.h"
#include "ward/mpc/party.h"

namespace ward::mpc {

class Resumption {
  public:
    // Throws Error kUsage when every_steps is 0.
    Resumption(Party& party, const CheckpointPlace& place, uint64_t every_steps,
               std::string data_digest);

    struct State {
        uint64_t step = 0;  // 0: from the beginning, without matrices
        std::vector<SharedMatrix> matrices;
    };
    // 3 rounds.
    State restore();

    bool is_due(uint64_t step) const { return step % every_steps_ == 0; }
    // With kMalicious all that led to the state is verified first.
    void save(uint64_t step, std::vector<SharedMatrix> matrices) const;

  private:
    uint64_t common_step(const std::vector<Checkpoint>& found) const;
    void require_one_run() const;
    void require_same_parts(const State& state) const;

    Party& party_;
    const CheckpointPlace& place_;
    uint64_t every_steps_;
    std::string data_digest_;
};

}  // namespace ward::mpc
