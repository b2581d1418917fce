// Digests of private data that only this user can compute.
#pragma once

#include <string>

namespace ward::cli {

// HMAC-SHA256 of a data set's digest under a random key of this user ($WARD_STATE_DIR or
// $XDG_STATE_HOME/ward or
// ~/.local/state/ward, file digest.key, made on first use). A bare digest in a released model would
// let anyone who knows all rows but one confirm the last; with the key kept at home it only says
// "the same data" to its owner. Where no key can be kept, a fresh one is used and a warning logged:
// reports then cannot pair this run with its twin.
std::string local_digest(const std::string& digest);

// Whether the key outlives this process.
bool keeps_local_key();

}  // namespace ward::cli
