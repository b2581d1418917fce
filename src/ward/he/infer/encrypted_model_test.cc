#include "ward/he/infer/encrypted_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/testing/small_models.h"
#include "ward/he/wire.h"

namespace ward::he {
namespace {

using testonly::random_example;
using testonly::random_model;
using ward::testonly::seeded_random;

struct World {
    World()
        : random(seeded_random(1)),
          model(random_model("small", {5}, 2,
                             {{"l1", model::Linear{3, true, ""}},
                              {"a", model::Activation{model::Activation::Function::kSquare}},
                              {"l2", model::Linear{2, true, ""}}},
                             random)),
          network(lower(model)) {
        description.plan = plan_encrypted_weights(network, {.input = {-1, 1}});
        description.preprocessing_json = "{}";
        description.class_names = {"benign", "malign"};
    }

    Random random;
    model::Model model;
    Network network;
    EncryptedModel::Description description;
};

// The digest at the end of an object made right for what stands before it.
void fix_digest(Bytes& bytes) {
    const std::string hex = sha256_hex(ByteView(bytes).first(bytes.size() - 32));
    for (size_t i = 0; i < 32; ++i) {
        bytes[bytes.size() - 32 + i] =
            static_cast<uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
    }
}

TEST(EncryptedModel, ComputesAfterBytesAsBefore) {
    World w;
    const auto context = Context::create(w.description.plan.parameters);
    const SecretKey secret = SecretKey::generate(context, w.random);
    const Bytes file = to_bytes(encrypt_model(w.network, w.description, secret, w.random));
    EncryptedModel read = encrypted_model_from_bytes(file);
    EXPECT_EQ(to_bytes(read), file);
    EXPECT_EQ(digest(read.description), digest(w.description));
    EXPECT_EQ(read.description.class_names, w.description.class_names);
    const WeightPlan plan = read.description.plan;
    EXPECT_EQ(plan.rotations, w.description.plan.rotations);
    const EncryptedWeightsProgram program(plan, std::move(read.network), std::move(read.keys));
    const auto x = random_example(w.model, w.random);
    const Ciphertext y = program.run(std::span<const double>(x));
    const CkksEncoder encoder(y.context());
    const SecretKey own = secret_key_from_bytes(y.context(), to_secret_bytes(secret).reveal());
    const auto scores = outputs_of(plan, encoder.decode(decrypt_for_owner(own, y)));
    const auto expected = evaluate(w.network, x);
    for (size_t i = 0; i < 2; ++i) EXPECT_NEAR(scores[i], expected[i], 1e-4);
}

TEST(EncryptedModel, CutFilesAreRefused) {
    World w;
    const auto context = Context::create(w.description.plan.parameters);
    const SecretKey secret = SecretKey::generate(context, w.random);
    const Bytes file = to_bytes(encrypt_model(w.network, w.description, secret, w.random));
    for (size_t size : {size_t{0}, size_t{39}, size_t{100}, size_t{400}, file.size() - 1}) {
        EXPECT_THROW(encrypted_model_from_bytes(ByteView(file).first(size)), Error);
    }
}

// With the digest made right, a changed byte is refused or gives a description of these bytes.
TEST(EncryptedModel, HostileDescriptionsAreRefused) {
    World w;
    const Bytes bytes = to_bytes(w.description);
    EXPECT_EQ(to_bytes(weight_description_from_bytes(bytes)), bytes);
    int accepted = 0;
    for (size_t i = 40; i + 32 < bytes.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            Bytes bad = bytes;
            bad[i] ^= static_cast<uint8_t>(1 << bit);
            fix_digest(bad);
            try {
                EXPECT_EQ(to_bytes(weight_description_from_bytes(bad)), bad) << i;
                ++accepted;
            } catch (const Error& e) {
                EXPECT_THAT(e.code(), testing::AnyOf(ErrorCode::kCorrupt, ErrorCode::kUnsupported))
                    << e.what();
            }
        }
    }
    EXPECT_GT(accepted, 100);  // bounds, names, text
    EncryptedModel::Description wrong = w.description;
    wrong.plan.stages[1].columns = 4;
    EXPECT_THROW(weight_description_from_bytes(to_bytes(wrong)), Error);
    wrong = w.description;
    wrong.plan.stages[0].rows = wrong.plan.stages[1].columns = 1 << 19;
    EXPECT_THROW(weight_description_from_bytes(to_bytes(wrong)), Error);
}

}  // namespace
}  // namespace ward::he
