#include "ward/he/infer/files.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/he/internal/wire_text.h"
#include "ward/he/wire.h"

namespace ward::he {
namespace {

using internal::bytes_of;
using internal::fail_corrupt;
using internal::read_text;
using internal::WireKind;
using internal::WireReader;
using internal::WireWriter;

constexpr size_t kDigestCharacters = 64;
constexpr int64_t kMostUnits = 1 << 24;
constexpr size_t kMostRotations = 2048;  // each is a key of megabytes for the reader to make

void check_fields(const ClientPlan& p) {
    const bool range =
        std::isfinite(p.input.low) && std::isfinite(p.input.high) && p.input.low <= p.input.high;
    const bool counts = p.inputs >= 1 && p.inputs <= kMostUnits && p.outputs >= 1 &&
                        p.outputs <= kMostUnits && p.examples >= 1 && p.examples <= 1 << 16;
    if (!range || !counts) fail_corrupt("the counts or the range of a plan are not possible");
    if (!p.class_names.empty() && static_cast<int64_t>(p.class_names.size()) != p.outputs) {
        fail_corrupt("a plan has other classes than outputs");
    }
    const int slots = 1 << std::clamp(p.parameters.log_degree - 1, 0, 16);
    if (p.packing != Packing::kSingle) {
        if (p.examples > slots) fail_corrupt("a plan has more examples than slots");
        return;
    }
    const bool period = p.input_period >= 1 && p.input_period <= slots &&
                        std::has_single_bit(static_cast<unsigned>(p.input_period));
    if (!period || p.examples != 1) fail_corrupt("the layout of a plan is not possible");
    const auto within = [](const std::vector<int>& places, int end) {
        return std::all_of(places.begin(), places.end(),
                           [end](int slot) { return slot >= 0 && slot < end; });
    };
    if (!within(p.input_slots, p.input_period) || !within(p.output_slots, slots)) {
        fail_corrupt("a slot of a plan is out of range");
    }
}

std::vector<int> read_slots(WireReader& in, int64_t count) {
    std::vector<int> out;
    for (int64_t i = 0; i < count; ++i) {
        const auto slot = in.number<uint32_t>();
        if (slot > 1 << 17) fail_corrupt("a slot of a plan is out of range");
        out.push_back(static_cast<int>(slot));
    }
    return out;
}

}  // namespace

Bytes to_bytes(const ClientPlan& p) {
    const Bytes parameters = to_bytes(p.parameters);
    const bool single = p.packing == Packing::kSingle;
    const size_t names = internal::names_bytes(p.class_names);
    WireWriter out(WireKind::kClientPlan, "",
                   56 + parameters.size() + 8 * p.rotations.size() + p.preprocessing_json.size() +
                       names + (single ? 4 * (p.input_slots.size() + p.output_slots.size()) : 0));
    out.number(static_cast<uint32_t>(single ? 0 : 1));
    out.number(static_cast<uint32_t>(p.examples));
    out.number(p.input.low);
    out.number(p.input.high);
    out.number(static_cast<uint32_t>(p.inputs));
    out.number(static_cast<uint32_t>(p.outputs));
    out.number(static_cast<uint32_t>(p.input_period));
    out.number(static_cast<uint32_t>(p.rotations.size()));
    out.number(static_cast<uint32_t>(parameters.size()));
    out.number(static_cast<uint32_t>(p.preprocessing_json.size()));
    out.number(static_cast<uint32_t>(p.class_names.size()));
    out.number(static_cast<uint32_t>(names));
    out.bytes(parameters);
    for (const auto& [step, level] : p.rotations) {
        out.number(static_cast<uint32_t>(step));
        out.number(static_cast<uint32_t>(level));
    }
    if (single) {
        for (int slot : p.input_slots) out.number(static_cast<uint32_t>(slot));
        for (int slot : p.output_slots) out.number(static_cast<uint32_t>(slot));
    }
    out.bytes(bytes_of(p.preprocessing_json));
    internal::write_names(out, p.class_names);
    return out.finish();
}

ClientPlan client_plan_from_bytes(ByteView bytes) {
    WireReader in(WireKind::kClientPlan, "", bytes);
    ClientPlan p;
    const auto packing = in.number<uint32_t>();
    if (packing > 1) fail_corrupt("unknown packing " + std::to_string(packing));
    const bool single = packing == 0;
    p.packing = single ? Packing::kSingle : Packing::kBatch;
    p.examples = in.number<uint32_t>();
    p.input.low = in.number<double>();
    p.input.high = in.number<double>();
    p.inputs = in.number<uint32_t>();
    p.outputs = in.number<uint32_t>();
    const auto period = in.number<uint32_t>();
    if (period > 1 << 17) fail_corrupt("the layout of a plan is not possible");
    p.input_period = static_cast<int>(period);
    const size_t rotations = in.number<uint32_t>();
    const size_t parameters = in.number<uint32_t>();
    const auto text = in.number<uint32_t>();
    const auto classes = in.number<uint32_t>(), names = in.number<uint32_t>();
    if (text > internal::kMostText || names > internal::kMostText || rotations > kMostRotations ||
        p.inputs > kMostUnits || p.outputs > kMostUnits) {
        fail_corrupt("the counts of a plan are not possible");
    }
    const size_t slots = single ? 4 * static_cast<size_t>(p.inputs + p.outputs) : 0;
    in.expect_left(parameters + 8 * rotations + slots + text + names);
    p.parameters = parameters_from_bytes(in.take(parameters));
    int previous = 0;
    for (size_t i = 0; i < rotations; ++i) {
        const auto step = in.number<uint32_t>(), level = in.number<uint32_t>();
        if (step > 1 << 17 || static_cast<int>(step) <= previous || level > 64) {
            fail_corrupt("rotations must rise from 1, with a level");
        }
        previous = static_cast<int>(step);
        p.rotations[previous] = static_cast<int>(level);
    }
    if (single) {
        p.input_slots = read_slots(in, p.inputs);
        p.output_slots = read_slots(in, p.outputs);
    }
    p.preprocessing_json = read_text(in, text);
    p.class_names = internal::read_names(in, classes);
    in.expect_left(0);
    p.ciphertexts_up = single ? 1 : p.inputs;
    p.ciphertexts_down = single ? 1 : p.outputs;
    check_fields(p);
    return p;
}

std::string digest(const ClientPlan& plan) { return sha256_hex(to_bytes(plan)); }

Bytes to_bytes(const CiphertextList& list) {
    std::vector<Bytes> objects;
    for (const Ciphertext& c : list.ciphertexts) objects.push_back(to_bytes(c));
    if (list.plan_digest.size() != kDigestCharacters || list.ciphertexts.empty()) {
        throw Error(ErrorCode::kInvalid,
                    "a list of ciphertexts needs one, and the digest of its plan");
    }
    WireWriter out(WireKind::kCiphertexts, list.ciphertexts[0].context()->id(),
                   kDigestCharacters + 16 + internal::objects_bytes(objects));
    out.bytes(bytes_of(list.plan_digest));
    out.number(static_cast<uint64_t>(list.examples));
    out.number(static_cast<uint64_t>(objects.size()));
    internal::write_objects(out, objects);
    return out.finish();
}

CiphertextList ciphertext_list_from_bytes(const ContextPtr& context, const std::string& plan_digest,
                                          ByteView bytes) {
    WireReader in(WireKind::kCiphertexts, context->id(), bytes);
    CiphertextList out;
    out.plan_digest = read_text(in, kDigestCharacters);
    if (out.plan_digest != plan_digest) {
        throw Error(ErrorCode::kInvalid, "the ciphertexts belong to another plan",
                    "both sides need the plan that the model's owner wrote for this model");
    }
    const auto examples = in.number<uint64_t>(), count = in.number<uint64_t>();
    if (examples > 1 << 24) fail_corrupt("the number of examples is not possible");
    out.examples = static_cast<int64_t>(examples);
    for (uint64_t i = 0; i < count; ++i) {
        out.ciphertexts.push_back(ciphertext_from_bytes(context, internal::read_object(in)));
    }
    in.expect_left(0);
    return out;
}

}  // namespace ward::he
