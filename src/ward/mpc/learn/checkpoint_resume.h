// Where three parties go on from, each with its own checkpoints (checkpoint.h).
//
// They tell each other what they have saved, step and number of the run, and take the last that all
// three have. A run is what follows from the same keys: each start that makes its steps under fresh
// keys is another. A state that is newer than the one gone on from is replaced by the next, so that
// the last common one stays whatever fails between two saves. Before it is used, the two holders of
// every part compare its digest and the step, so that states of different runs, changed ones, and
// parties that were told different steps do not go on.
//
// Rolling back: without trusted hardware nobody can tell that an old file is old, but a newer state
// at any honest party gives it away. Parties are cut off at most one save apart, so a common step
// that lies further behind the newest one is refused. Who brings old files (one party) can thus
// undo one save at most; all three together, with all their files, can undo anything.
//
// A file that does not open beside one that does (a disk that failed) is as good as one that was
// never saved: it is left out, with a warning, and the rule above decides. Private training is
// refused then: the lost state may be the last one, whose model was opened, and another model with
// other noise would be a second release. Who knows that nothing was opened can put the previous
// file in its place.
//
// Randomness: semi-honest parties go on with the keys of the run, so that what is done again, such
// as the alignment of rows before the first step, sends the same messages and comes out the same
// (party.h). Two kinds of runs repeat steps under fresh keys instead, because other messages would
// go out under the same masks: private training, where each party draws its noise anew, and
// Security::kMalicious, where a party may send what it likes (and no key is saved). The model then
// differs from that of an uninterrupted run by dither and noise. Of what was done twice only the
// second time has an effect, and before anything is opened all three have saved the last state, so
// that a job that fails behind it opens the same model again. The guarantee is that of one model.
// The last state of private training is marked as finished and is not removed with the job: started
// again, the job opens the same model again, where a fresh start would be a second release. When
// anything is opened all have such a state, so a party that is told of two of them beyond the last
// common step does not go on: one was lost, or a corrupt party says that it lacks its own to have
// another model made. Two parties that lose all their files at once are not noticed.
//
// Thread safety: as Party. Errors: kRefused as above and when the data of this party has changed,
// those of checkpoint.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ward/mpc/learn/checkpoint.h"
#include "ward/mpc/learn/job.h"
#include "ward/mpc/learn/network.h"
#include "ward/mpc/party.h"

namespace ward::mpc {

class Resumption {
  public:
    // `place` must outlive it. Throws Error kUsage when every_steps is 0.
    Resumption(Party& party, const CheckpointPlace& place, uint64_t every_steps,
               const TrainingJob& job, std::string data_digest);

    // First of all. What comes between this and the first step, such as alignment, is the same at
    // each start unless the security is kMalicious. 3 rounds.
    void restore();
    // Gives the network its state back and returns the number of steps it has behind it.
    uint64_t begin_steps(Network& network);

    void begin_step(uint64_t step) { party_.begin_step(step); }
    // Saves the state when it is time. With kMalicious all that led to it is verified first.
    void end_step(uint64_t steps_done, const Network& network);
    // After the last step: all three have saved what will be opened when this returns. 1 round.
    void end_steps(uint64_t steps_done, const Network& network);

    // After `restore`: whether there are steps left behind a state that others led to.
    bool is_in_the_middle() const { return state_.step > 0 && !state_.finished; }

  private:
    struct State {
        uint64_t step = 0;  // 0: from the beginning, without matrices
        bool finished = false;
        std::vector<SharedMatrix> matrices;
    };
    void save(uint64_t step, std::vector<SharedMatrix> matrices, bool finished = false);
    std::vector<Checkpoint> load_whole();
    std::string how_to_begin_anew() const;
    // The place of the last common one among `found`, if any. Also draws the number of this run.
    std::optional<size_t> last_common(const std::vector<Checkpoint>& found);
    void require_one_run() const;
    void require_same_parts() const;
    static Bytes digest_of_part(const State& state, int number, RingVector SharedMatrix::*part);

    Party& party_;
    const CheckpointPlace& place_;
    uint64_t every_steps_;
    std::string data_digest_;
    bool is_private_;
    Party::Keys run_keys_;    // of the first start; these are saved
    Party::Keys fresh_keys_;  // of this start
    State state_;
    uint64_t run_ = 0;
    uint64_t present_step_ = 0;  // of the newest file of this party
    bool present_is_damaged_ = false;
};

// When all have what was opened: removes the files, but not those of a private job.
void end_job(const CheckpointPlace& place, const TrainingJob& job);

}  // namespace ward::mpc
