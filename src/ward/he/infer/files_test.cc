#include "ward/he/infer/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/infer/program.h"
#include "ward/he/testing/small_models.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using testonly::random_example;
using testonly::random_model;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;

model::Model small_model(Random& random) {
    const model::Activation square{model::Activation::Function::kSquare};
    return random_model(
        "small", {5}, 2,
        {{"l1", model::Linear{3, true, ""}}, {"a", square}, {"l2", model::Linear{2, true, ""}}},
        random);
}

void fix_digest(Bytes& bytes) {
    const std::string hex = sha256_hex(ByteView(bytes).first(bytes.size() - 32));
    for (size_t i = 0; i < 32; ++i) {
        bytes[bytes.size() - 32 + i] =
            static_cast<uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
    }
}

// Two sides that share nothing but bytes.
TEST(Files, CarryAnInferenceBetweenTwoSides) {
    Random random = seeded_random(1);
    const model::Model m = small_model(random);
    const Network network = lower(m);
    const auto x = random_example(m, random);
    for (Packing packing : {Packing::kSingle, Packing::kBatch}) {
        const Plan whole = plan(network, {.packing = packing, .input = {-1, 1}});
        ClientPlan sent = client_plan(whole);
        sent.preprocessing_json = "{\"kind\":\"none\"}";
        sent.class_names = {"benign", "malign"};
        const ClientPlan received = client_plan_from_bytes(to_bytes(sent));
        EXPECT_EQ(received, sent);
        const InferenceClient client(received, random);
        const Bytes up = to_bytes(CiphertextList{digest(received), 1, client.encrypt(x, random)});
        const auto context = Context::create(sent.parameters);
        const Program program(network, whole, context);
        const auto list = ciphertext_list_from_bytes(context, digest(sent), up);
        EXPECT_EQ(list.examples, 1);
        const Bytes down =
            to_bytes(CiphertextList{digest(sent), list.examples,
                                    program.run(list.ciphertexts, client.evaluation_keys(random))});
        const auto result = ciphertext_list_from_bytes(client.context(), digest(received), down);
        const auto y = client.decrypt(result.ciphertexts, result.examples);
        const auto expected = evaluate(network, x);
        for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-5);
        sent.input.high = 2;
        EXPECT_THAT(any_message_of([&] { ciphertext_list_from_bytes(context, digest(sent), up); }),
                    HasSubstr("another plan"));
    }
}

TEST(Files, DamagedAndHostilePlansAreRefused) {
    Random random = seeded_random(2);
    ClientPlan good = client_plan(plan(lower(small_model(random)), {.input = {-1, 1}}));
    good.class_names = {"a", "bc"};
    const Bytes bytes = to_bytes(good);
    for (size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_THROW(client_plan_from_bytes(ByteView(bytes).first(size)), Error);
    }
    // With the digest made right, a changed byte is refused or gives a plan of these bytes.
    for (size_t i = 40; i + 32 < bytes.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            Bytes bad = bytes;
            bad[i] ^= static_cast<uint8_t>(1 << bit);
            fix_digest(bad);
            try {
                EXPECT_EQ(to_bytes(client_plan_from_bytes(bad)), bad) << i;
            } catch (const Error& e) {
                EXPECT_THAT(static_cast<int>(e.code()),
                            testing::AnyOf(static_cast<int>(ErrorCode::kCorrupt),
                                           static_cast<int>(ErrorCode::kUnsupported)));
            }
        }
    }
    ClientPlan wrong = good;
    wrong.output_slots[0] = 1 << 16;
    EXPECT_THAT(any_message_of([&] { client_plan_from_bytes(to_bytes(wrong)); }),
                HasSubstr("out of range"));
    wrong = good;
    for (int step = 1; step < 2100; ++step) wrong.rotations[step] = 0;
    EXPECT_THAT(any_message_of([&] { client_plan_from_bytes(to_bytes(wrong)); }),
                HasSubstr("counts of a plan"));
    wrong = good;
    wrong.class_names[1] = "\x1b[2J";
    EXPECT_THAT(any_message_of([&] { client_plan_from_bytes(to_bytes(wrong)); }),
                HasSubstr("control characters"));
    wrong.class_names = {"one"};
    EXPECT_THAT(any_message_of([&] { client_plan_from_bytes(to_bytes(wrong)); }),
                HasSubstr("other classes than outputs"));
    wrong = good;
    wrong.input.low = 3;
    EXPECT_THAT(any_message_of([&] { client_plan_from_bytes(to_bytes(wrong)); }),
                HasSubstr("not possible"));
}

}  // namespace
}  // namespace ward::he
