// Any bytes as a plan of encrypted inference or a list of ciphertexts: refused with ward::Error, or
// objects that give the same bytes again. The digest is made right first, so that the checks behind
// it are reached; the first byte says which reader.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/he/infer/encrypted_model.h"
#include "ward/he/infer/files.h"

namespace {

using namespace ward::he;

// Tiny and insecure: two data primes and a special one of a ring of degree 32.
const ClientPlan& tiny_plan() {
    static const ClientPlan plan = [] {
        ClientPlan p;
        p.packing = Packing::kBatch;
        p.parameters.log_degree = 5;
        p.parameters.scale_bits = 12;
        p.parameters.data_primes = {12289, 40961};
        p.parameters.special_primes = {65537};
        p.examples = 16;
        p.inputs = p.outputs = p.ciphertexts_up = p.ciphertexts_down = 1;
        return p;
    }();
    return plan;
}

void put_hex(const std::string& hex, uint8_t* out) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (size_t i = 0; i < hex.size() / 2; ++i) {
        out[i] = static_cast<uint8_t>(16 * digit(hex[2 * i]) + digit(hex[2 * i + 1]));
    }
}

// Names and digests would never be guessed.
void make_right(ward::Bytes& bytes, bool list, const std::string& context_id) {
    if (bytes.size() < 72) return;
    if (list) {
        put_hex(context_id, &bytes[16]);
        const std::string plan = digest(tiny_plan());
        for (size_t i = 0; i < plan.size() && 40 + i + 32 < bytes.size(); ++i) {
            bytes[40 + i] = static_cast<uint8_t>(plan[i]);
        }
    }
    put_hex(ward::sha256_hex(ward::ByteView(bytes).first(bytes.size() - 32)),
            &bytes[bytes.size() - 32]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const ContextPtr context = Context::create_insecure(tiny_plan().parameters);
    if (size == 0) return 0;
    ward::Bytes bytes(data + 1, data + size);
    const int kind = data[0] % 3;
    make_right(bytes, kind == 1, context->id());
    try {
        ward::Bytes again;
        if (kind == 0) again = to_bytes(client_plan_from_bytes(bytes));
        if (kind == 1) {
            again = to_bytes(ciphertext_list_from_bytes(context, digest(tiny_plan()), bytes));
        }
        if (kind == 2) again = to_bytes(weight_description_from_bytes(bytes));
        if (again != bytes) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
