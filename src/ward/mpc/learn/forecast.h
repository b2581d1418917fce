// What a training will cost, before any party sends a byte.
//
// Bytes and rounds of a protocol follow from shapes alone, never from data, so three and six steps
// on zeros among three threads tell those of the whole job exactly (the roles of the parties go
// around with period three). Time is an estimate: computation as measured here, plus what rounds
// and bytes take on the links.
#pragma once

#include "ward/mpc/learn/job.h"

namespace ward::mpc {

struct LinkSpeed {
    double round_trip_seconds = 0;
    double bytes_per_second = 0;  // 0: without a limit
};

struct Forecast {
    uint64_t steps = 0;
    double bytes_per_party = 0;  // mean of the three
    double bytes_max_party = 0;
    double rounds = 0;
    double compute_seconds = 0;  // three parties on the cores of this machine

    // Half a round trip per round, in which links carry the busiest party's bytes.
    double seconds(const LinkSpeed& link) const;
};

// Throws what `train` throws for options that make no sense.
Forecast forecast(const TrainingJob& job, const PartyOptions& options);

}  // namespace ward::mpc
