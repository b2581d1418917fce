#include "ward/mpc/learn/checkpoint_resume.h"

#include <algorithm>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/crypto/kdf.h"

namespace ward::mpc {
namespace {

Bytes as_bytes(const std::string& text) { return {text.begin(), text.end()}; }

Party::Keys copy_of(const Party::Keys& keys) { return {keys.own.clone(), keys.next.clone()}; }

constexpr const char* kAnew =
    "bring the missing files back, or remove all checkpoints to begin anew";

}  // namespace

Resumption::Resumption(Party& party, const CheckpointPlace& place, uint64_t every_steps,
                       const TrainingJob& job, std::string data_digest)
    : party_(party),
      place_(place),
      every_steps_(every_steps),
      data_digest_(std::move(data_digest)),
      fresh_steps_(job.options.clipping_norm > 0),
      run_keys_(party.keys()),
      fresh_keys_(party.keys()) {
    if (every_steps == 0) {
        throw Error(ErrorCode::kUsage, "a checkpoint must be every 1 or more steps, got 0");
    }
}

void Resumption::restore() {
    std::vector<Checkpoint> found = load_checkpoints(place_);
    state_.step = common_step(found);
    for (Checkpoint& checkpoint : found) {
        if (state_.step == 0 || checkpoint.step != state_.step) continue;
        if (checkpoint.data_digest != data_digest_) {
            throw Error(ErrorCode::kRefused,
                        "the data of this party is not that of the checkpoint of step " +
                            std::to_string(state_.step),
                        "give the same data, or remove the checkpoints to begin anew");
        }
        state_.matrices = std::move(checkpoint.state);
        if (party_.security() == Security::kSemiHonest) {
            run_keys_ = std::move(checkpoint.keys);
            party_.restore_keys(copy_of(run_keys_));
        }
        break;
    }
    require_one_run();
    require_same_parts();
    party_.begin_step(Party::kBeforeSteps);
}

uint64_t Resumption::begin_steps(Network& network) {
    if (fresh_steps_) party_.restore_keys(copy_of(fresh_keys_));
    if (state_.step > 0) network.restore(std::move(state_.matrices), state_.step);
    return state_.step;
}

void Resumption::end_step(uint64_t steps_done, const Network& network) const {
    if (steps_done % every_steps_ == 0) save(steps_done, network.state());
}

void Resumption::save(uint64_t step, std::vector<SharedMatrix> matrices) const {
    party_.verify();
    Checkpoint checkpoint = {step, {}, data_digest_, std::move(matrices)};
    if (party_.security() == Security::kSemiHonest) {
        checkpoint.keys = copy_of(run_keys_);
    } else {  // not to be used again
        checkpoint.keys = {SecretBytes(KeyStream::kKeyBytes), SecretBytes(KeyStream::kKeyBytes)};
    }
    save_checkpoint(place_, checkpoint);
}

// The last step that all three have saved.
uint64_t Resumption::common_step(const std::vector<Checkpoint>& found) const {
    RingVector own = {0, 0}, theirs[2] = {{0, 0}, {0, 0}};
    for (size_t i = 0; i < found.size(); ++i) own[i] = found[i].step;
    Party::Round round(party_);
    for (int other : {1, 2}) round.send((party_.index() + other) % 3, own);
    for (int other : {1, 2}) round.receive((party_.index() + other) % 3, theirs[other - 1]);
    round.finish();
    const auto has = [](const RingVector& steps, uint64_t step) {
        return std::find(steps.begin(), steps.end(), step) != steps.end();
    };
    uint64_t best = 0, newest = 0;
    for (const RingVector* steps : {&own, &theirs[0], &theirs[1]}) {
        for (uint64_t step : *steps) {
            newest = std::max(newest, step);
            const bool common = has(own, step) && has(theirs[0], step) && has(theirs[1], step);
            if (common) best = std::max(best, step);
        }
    }
    // One save that not all have made is no loss, more are.
    if (newest - best <= every_steps_) return best;
    throw Error(ErrorCode::kRefused,
                "a party has a checkpoint of step " + std::to_string(newest) +
                    (best == 0 ? ", but none that all three parties have"
                               : ", but the last that all three parties have is of step " +
                                     std::to_string(best)),
                kAnew);
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
                "bring the right files back, or remove all checkpoints to begin anew");
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
                kAnew);
}

}  // namespace ward::mpc
