// One party's part of shared matrices as a file: how an owner that is no party hands its data to
// the three, and how they hand a model or scores to those who may have them. Encrypt the bytes for
// their reader (crypto/age.h); format: docs/formats/mpc_shares.md.
//
// Digests. The maker of data puts the digest of each of the three parts into all three files, and
// the `id` of the set is a digest of everything: names, shapes, and the three. A party checks what
// it holds against them, so parties that agree on an id (it is part of the job, share for share)
// hold parts of the same data, of the owner who told the id. In results every party gives digests
// of the two parts that it holds; `combine` compares the part that two files have in common.
//
// Threat: bytes are untrusted; every length is checked before memory is taken, and errors are
// kCorrupt or kUnsupported. Thread safety: value types.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/core/random.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

struct ShareFile {
    std::string kind;   // "data", "model", "scores", "statistics"
    std::string name;   // of the owner, or of the result
    std::string id;     // of the set; of a result: the digest of the job that made it
    std::string about;  // a JSON object in the clear for who holds a part, at most 16 MiB
    int party = 0;
    std::vector<SharedMatrix> matrices;
    std::array<std::string, 3> digests;  // of the parts; empty where unknown
};

// The three files of data, with digests and id.
std::array<ShareFile, 3> split_to_files(const std::string& name, const std::string& about,
                                        std::span<const RingMatrix> matrices, Random& random);

// One party's file of a result.
ShareFile result_file(std::string kind, std::string name, std::string id, std::string about,
                      int party, std::vector<SharedMatrix> matrices);

Bytes write_share_file(const ShareFile& file);

// Throws Error kUnsupported for a newer version, kCorrupt for anything that is not such a file or
// whose parts do not have their digests; `name` is for messages.
ShareFile parse_share_file(ByteView bytes, const std::string& name);

// The values. At least two files of different parties; with three, each part is compared with its
// second holder's. Throws Error kUsage for less than two or for files of different sets, kCorrupt
// when two parties give different parts.
std::vector<RingMatrix> combine(std::span<const ShareFile> files);

}  // namespace ward::mpc
