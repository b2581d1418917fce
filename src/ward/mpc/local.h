// Three parties as three threads of this process: for tests, examples and trying a job out. There
// is no secrecy between threads of one process.
#pragma once

#include <functional>

#include "ward/mpc/party.h"

namespace ward::mpc {

// Runs `program` once per party and waits for all. The first error of a party that is not a mere
// consequence of another's (a peer that stopped) is rethrown. `pipe` may simulate slow links.
void run_local(const std::function<void(Party&)>& program, const PartyOptions& options = {},
               const net::PipeOptions& pipe = {});

}  // namespace ward::mpc
