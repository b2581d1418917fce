#include "ward/mpc/learn/checkpoint_resume.h"

#include <algorithm>
#include <filesystem>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/log.h"
#include "ward/crypto/kdf.h"

namespace ward::mpc {
namespace {

Bytes as_bytes(const std::string& text) { return {text.begin(), text.end()}; }

Party::Keys copy_of(const Party::Keys& keys) { return {keys.own.clone(), keys.next.clone()}; }

}  // namespace

Resumption::Resumption(Party& party, const CheckpointPlace& place, uint64_t every_steps,
                       const TrainingJob& job, std::string data_digest)
    : party_(party),
      place_(place),
      every_steps_(every_steps),
      data_digest_(std::move(data_digest)),
      is_private_(job.options.clipping_norm > 0),
      run_keys_(party.keys()),
      fresh_keys_(party.keys()) {
    if (every_steps == 0) {
        throw Error(ErrorCode::kUsage, "a checkpoint must be every 1 or more steps, got 0");
    }
}

std::vector<Checkpoint> Resumption::load_whole() {
    DamagedCheckpoints damaged;
    std::vector<Checkpoint> found = load_checkpoints(place_, &damaged);
    present_is_damaged_ = damaged.present;
    const std::string previous = place_.path + ".previous";
    if (damaged.previous) log_warning(previous + " is damaged and is left out");
    // No crash removes the newer file and leaves the older one.
    const bool lost = !found.empty() && !std::filesystem::exists(place_.path);
    if (!damaged.present && !lost) return found;
    const std::string what = place_.path + (lost ? " is missing" : " is damaged");
    const std::string step = std::to_string(found.at(0).step);
    if (is_private_) {
        throw Error(ErrorCode::kCorrupt, what + "; " + previous + " has the state of step " + step,
                    "if no party has opened the model yet, move it to that name and start again; "
                    "else another model would be a second release of the data");
    }
    log_warning(what + "; this party goes by " + previous + ", the state of step " + step);
    return found;
}

std::string Resumption::how_to_begin_anew() const {
    std::string out = "bring the right files back, or remove all checkpoints to begin anew";
    if (is_private_) {
        out += " if no party has opened the model yet: another one would be a second release";
    }
    return out;
}

void Resumption::restore() {
    std::vector<Checkpoint> found = load_whole();
    for (const Checkpoint& own : found) present_step_ = std::max(present_step_, own.step);
    if (const auto at = last_common(found)) {
        Checkpoint& checkpoint = found[*at];
        if (checkpoint.data_digest != data_digest_) {
            throw Error(ErrorCode::kRefused,
                        "the data of this party is not that of the checkpoint of step " +
                            std::to_string(checkpoint.step),
                        "give the same data; " + how_to_begin_anew());
        }
        state_ = {checkpoint.step, checkpoint.finished, std::move(checkpoint.state)};
        log_info("going on from the state of step " + std::to_string(state_.step));
        if (party_.security() == Security::kSemiHonest) {
            run_keys_ = std::move(checkpoint.keys);
            party_.restore_keys(copy_of(run_keys_));
            if (!is_private_) run_ = checkpoint.run;
        }
    }
    require_one_run();
    require_same_parts();
    party_.begin_step(Party::kBeforeSteps);
}

uint64_t Resumption::begin_steps(Network& network) {
    // With kMalicious the keys are those of this start in any case.
    const bool changed = is_private_ && party_.security() == Security::kSemiHonest;
    if (changed) party_.restore_keys(copy_of(fresh_keys_));
    if (state_.step > 0) network.restore(std::move(state_.matrices), state_.step);
    return state_.step;
}

void Resumption::end_step(uint64_t steps_done, const Network& network) {
    if (steps_done % every_steps_ == 0) save(steps_done, network.state());
}

void Resumption::end_steps(uint64_t steps_done, const Network& network) {
    const bool mark = is_private_ && !state_.finished;
    if (state_.step != steps_done || mark) save(steps_done, network.state(), mark);
    party_.synchronize();
    party_.begin_step(steps_done);
}

void Resumption::save(uint64_t step, std::vector<SharedMatrix> matrices, bool finished) {
    party_.verify();
    Checkpoint checkpoint = {step, run_, finished, {}, data_digest_, std::move(matrices)};
    if (party_.security() == Security::kSemiHonest) {
        checkpoint.keys = copy_of(run_keys_);
    } else {  // not to be used again
        checkpoint.keys = {SecretBytes(KeyStream::kKeyBytes), SecretBytes(KeyStream::kKeyBytes)};
    }
    const bool keep_present = present_step_ < step && !present_is_damaged_;
    save_checkpoint(place_, checkpoint, keep_present ? Present::kStepsBack : Present::kReplaced);
    present_step_ = step;
    present_is_damaged_ = false;
    state_.step = step;
    state_.finished = finished;
}

std::optional<size_t> Resumption::last_common(const std::vector<Checkpoint>& found) {
    // A piece of the number of this run, then step and run of up to two files, then every_steps_,
    // then the step of a finished state.
    constexpr size_t kWords = 7;
    RingVector own(kWords, 0), theirs[2] = {RingVector(kWords, 0), RingVector(kWords, 0)};
    own[0] = party_.random().next_u64();
    own[5] = every_steps_;
    for (size_t i = 0; i < found.size(); ++i) {
        own[1 + 2 * i] = found[i].step;
        own[2 + 2 * i] = found[i].run;
        if (found[i].finished) own[6] = found[i].step;
    }
    Party::Round round(party_);
    for (int other : {1, 2}) round.send((party_.index() + other) % 3, own);
    for (int other : {1, 2}) round.receive((party_.index() + other) % 3, theirs[other - 1]);
    round.finish();
    run_ = own[0] + theirs[0][0] + theirs[1][0];
    for (const RingVector& told : theirs) {
        if (told[5] == every_steps_) continue;
        throw Error(ErrorCode::kRefused,
                    "another party saves its state every " + std::to_string(told[5]) +
                        " steps, this one every " + std::to_string(every_steps_),
                    "give checkpoint_steps the same value in all party files");
    }
    const auto has = [](const RingVector& told, const Checkpoint& saved) {
        return (told[1] == saved.step && told[2] == saved.run) ||
               (told[3] == saved.step && told[4] == saved.run);
    };
    std::optional<size_t> best;
    for (size_t i = 0; i < found.size(); ++i) {
        const bool common = has(theirs[0], found[i]) && has(theirs[1], found[i]);
        if (common && (!best || found[i].step > found[*best].step)) best = i;
    }
    uint64_t newest = 0;
    for (const RingVector* told : {&own, &theirs[0], &theirs[1]}) {
        newest = std::max({newest, (*told)[1], (*told)[3]});
    }
    // One save that not all have made is no loss, more are.
    const uint64_t step = best ? found[*best].step : 0;
    if ((own[6] > step) + (theirs[0][6] > step) + (theirs[1][6] > step) >= 2) {
        throw Error(ErrorCode::kRefused,
                    "this private job has come to its end, and a party has lost the last state",
                    "its model may have been opened, and another one would be a second release");
    }
    if (newest - step <= every_steps_) return best;
    throw Error(ErrorCode::kRefused,
                "a party has a checkpoint of step " + std::to_string(newest) +
                    (!best ? ", but none that all three parties have"
                           : ", but the last that all three parties have is of step " +
                                 std::to_string(step)),
                how_to_begin_anew());
}

// Key i must be the same at its two holders.
void Resumption::require_one_run() const {
    const Party::Keys keys = party_.keys();
    const auto id = [](const SecretBytes& key) {
        return as_bytes(sha256_hex(
            crypto::hkdf(crypto::Hash::kSha256, key.reveal(), {}, "ward mpc run", 32).reveal()));
    };
    const Bytes own = id(keys.own);
    Bytes theirs(own.size());
    Party::Round round(party_);
    round.send((party_.index() + 2) % 3, own);
    round.receive((party_.index() + 1) % 3, theirs);
    round.finish();
    if (theirs == id(keys.next)) return;
    throw Error(ErrorCode::kRefused, "the checkpoints of the parties are of different runs",
                how_to_begin_anew());
}

// Of one part of all matrices; `number` is that of the part.
Bytes Resumption::digest_of_part(const State& state, int number, RingVector SharedMatrix::*part) {
    Sha256 hash;
    hash.update("ward mpc state|step " + std::to_string(state.step) + "|part " +
                std::to_string(number));
    for (const SharedMatrix& matrix : state.matrices) {
        hash.update("|" + std::to_string(matrix.rows) + " x " + std::to_string(matrix.cols) + "|");
        const RingVector& values = matrix.*part;
        hash.update(ByteView(reinterpret_cast<const uint8_t*>(values.data()),
                             values.size() * sizeof(Ring)));
    }
    return as_bytes(hash.hex());
}

// Part i at parties i and i - 1. Parts are uniform and long, so a digest tells nothing of them.
void Resumption::require_same_parts() const {
    const int self = party_.index(), next = (self + 1) % 3, previous = (self + 2) % 3;
    const Bytes own_first = digest_of_part(state_, self, &SharedMatrix::first);
    const Bytes own_second = digest_of_part(state_, next, &SharedMatrix::second);
    Bytes first(own_first.size()), second(own_second.size());
    Party::Round round(party_);
    round.send(previous, own_first);
    round.send(next, own_second);
    round.receive(next, second);
    round.receive(previous, first);
    round.finish();
    if (first == own_first && second == own_second) return;
    throw Error(ErrorCode::kRefused,
                "the parties' checkpoints of step " + std::to_string(state_.step) +
                    " do not belong together",
                how_to_begin_anew());
}

void end_job(const CheckpointPlace& place, const TrainingJob& job) {
    if (job.options.clipping_norm == 0) remove_checkpoints(place);
}

}  // namespace ward::mpc
