// Sealed share files: reading and writing them, and what they say about themselves.
#pragma once

#include <string>
#include <vector>

#include "ward/crypto/age.h"
#include "ward/data/dataset.h"
#include "ward/mpc/share_file.h"

namespace ward::cli {

// Identities of a secret key file; asks for its passphrase when it has one.
crypto::AgeKeys load_share_keys(const std::string& path);

// Throws what age_decrypt and parse_share_file throw, with the path. `keys_from` says where other
// keys would be given: it is the hint when these do not open the file.
mpc::ShareFile open_share_file(const std::string& path, const crypto::AgeKeys& keys,
                               const std::string& keys_from);
inline constexpr const char* kKeysOfParty =
    "shares_key: in the party file must name the key whose public half the owners were given";

void seal_share_file(const mpc::ShareFile& file, const std::vector<crypto::AgeRecipient>& readers,
                     const std::string& path);

// Names of features and classes and the preprocessing of a data set, as the `about` of its shares,
// and back into a data set without rows.
std::string about_data(const data::Dataset& data);
data::Dataset data_from_about(const std::string& about, const std::string& where);

// How rows became inputs, whatever their labels and the file they come from: equal texts, equal
// meaning of the columns.
std::string input_encoding(const data::Dataset& data);

}  // namespace ward::cli
