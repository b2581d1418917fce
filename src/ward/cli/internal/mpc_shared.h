// The party's side of jobs on data that owners have shared, and how a party goes to the network.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "ward/core/bytes.h"
#include "ward/mpc/connect.h"
#include "ward/mpc/learn/job_file.h"
#include "ward/mpc/learn/party_file.h"

namespace ward::cli {

// The key of the party file; asks for its passphrase.
crypto::NetworkIdentity load_party_identity(const mpc::PartyFile& party);
// Waits for the two others.
mpc::PartyLinks connect_party(const mpc::PartyFile& party, const crypto::NetworkIdentity& self);

// The key that seals this party's checkpoints; made when the file is missing.
SecretBytes load_checkpoint_key(const std::string& path);

struct SharedJobOptions {
    std::string out;     // this party's part of the result
    std::string digest;  // that the job must have; empty: any
    std::string model;   // this party's part of a model, for predictions
    bool json = false;
};
void run_shared_training(const mpc::PartyFile& party, const mpc::JobFile& file,
                         const SharedJobOptions& options);

void add_mpc_predict(CLI::App& group);
void add_mpc_statistics(CLI::App& group);

}  // namespace ward::cli
