// A whole training on shares: the owners' data in batches, several epochs, the model at the end.
//
// One party brings the inputs and one the labels (the same or another one: data split by columns).
// Batches are shared when their turn comes, so that no party holds the whole set in shares. The
// order of the examples is public: it follows from a seed in the job.
//
// Thread safety and security: as party.h and network.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ward/data/dataset.h"
#include "ward/mpc/learn/checkpoint.h"
#include "ward/mpc/learn/network.h"

namespace ward::mpc {

struct TrainingJob {
    NetworkShape shape;
    TrainOptions options;
    int epochs = 1;
    double decay = 1;  // the learning rate is multiplied by it after each epoch
    uint64_t order_seed = 1;
    size_t examples = 0;  // public; what does not fill a batch is left out of the epoch
    int input_owner = 0;
    int label_owner = 0;
    double delta = 0;  // of the privacy guarantee, with options.clipping_norm (privacy.h)
    // How it is computed and on what: truncation, security, the label. Part of the digest, so that
    // nobody weakens them unseen and no checkpoint is continued by other messages.
    std::string protocol;

    // What all parties must agree on.
    std::string digest() const;
};

struct JobResult {
    NetworkWeights network;
    double seconds = 0;
    net::Traffic traffic;  // of this party
};

// With options.clipping_norm > 0 inputs are cut off at +-kMaxPrivateInput by their owner.
//
// `data` is read at the owners only; others may pass nullptr. The same `initial` at all parties.
// `after_epoch`, if any, is called with the number of epochs done. Throws Error kUsage for data
// that does not fit the job, kInvalid for values out of range.
//
// With `checkpointing` the state is saved every so many steps, and a job whose parties find saved
// states goes on from the last one that all three have (checkpoint_resume.h); with semi-honest
// security and without privacy the model is then the very one of a run that was not cut off. Throws
// Error kRefused when the parties' states do not belong together or an owner's data has changed,
// kIo for a full disk.
struct Checkpointing {
    CheckpointPlace place;
    uint64_t every_steps = 100;
};
JobResult train(Party& party, const TrainingJob& job, const NetworkWeights& initial,
                const data::Dataset* data, const std::function<void(int)>& after_epoch = nullptr,
                const Checkpointing* checkpointing = nullptr);

// Initial weights that party 0 draws and all learn. 2 rounds.
NetworkWeights draw_initial_weights(Party& party, const NetworkShape& shape);

// The same in the clear.
NetworkWeights train_twin(Twin& twin, const TrainingJob& job, const NetworkWeights& initial,
                          const data::Dataset& data);

// The share of examples whose largest score (or sign, with one output) is that of the label.
double accuracy(const NetworkWeights& network, const data::Dataset& data);

}  // namespace ward::mpc
