// Plans and lists of ciphertexts as bytes, for two sides that exchange files
// (docs/formats/he_objects.md, kinds 7 and 8).
//
// Threat: as in wire.h: the bytes may come from anyone, and what does not fit is refused with Error
// kCorrupt. Thread safety: functions only.
#pragma once

#include <string>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/he/infer/client.h"

namespace ward::he {

Bytes to_bytes(const ClientPlan& plan);
ClientPlan client_plan_from_bytes(ByteView bytes);

// SHA-256 of the plan's bytes: both sides must have the same.
std::string digest(const ClientPlan& plan);

// Requests to a program, or their results, one after the other.
struct CiphertextList {
    std::string plan_digest;
    int64_t examples = 0;
    std::vector<Ciphertext> ciphertexts;
};

Bytes to_bytes(const CiphertextList& list);
// Throws Error kInvalid when it belongs to another plan or context.
CiphertextList ciphertext_list_from_bytes(const ContextPtr& context, const std::string& plan_digest,
                                          ByteView bytes);

}  // namespace ward::he
