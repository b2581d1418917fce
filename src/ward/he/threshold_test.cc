#include "ward/he/threshold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/ckks.h"
#include "ward/he/testing/small_parameters.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using testonly::small_ckks;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;

struct World {
    World()
        : random(seeded_random(1)),
          context(Context::create_insecure(small_ckks(8, 2, 48))),
          secret(SecretKey::generate(context, random)),
          key(PublicKey::generate(secret, random)),
          encoder(context) {
        for (int i = 0; i < 128; ++i) values.push_back(2 * random.uniform01() - 1);
    }

    Ciphertext encrypted() { return encrypt(key, encoder.encode(values, {.bound = 1.0}), random); }
    std::vector<PartialDecryption> parts(const std::vector<KeyShare>& shares, const Ciphertext& c) {
        std::vector<PartialDecryption> out;
        for (const KeyShare& share : shares) {
            out.push_back(partial_decrypt(share, c, random, {.bits = 8}));
        }
        return out;
    }

    Random random;
    ContextPtr context;
    SecretKey secret;
    PublicKey key;
    CkksEncoder encoder;
    std::vector<double> values;
};

TEST(Threshold, AllPartiesTogetherDecrypt) {
    World w;
    for (int parties : {2, 3, 7}) {
        const auto shares = split_secret_key(w.secret, parties, w.random);
        ASSERT_EQ(shares.size(), static_cast<size_t>(parties));
        const CkksEvaluator evaluator(w.context);
        for (int level : {2, 1}) {
            const Ciphertext x = evaluator.drop_to_level(w.encrypted(), level);
            auto parts = w.parts(shares, x);
            std::reverse(parts.begin(), parts.end());
            const Plaintext result = combine(x, parts);
            const auto got = w.encoder.decode(result);
            double largest = 0;
            for (size_t i = 0; i < got.size(); ++i) {
                largest = std::max(largest, std::abs(got[i] - w.values[i]));
            }
            EXPECT_LE(largest, result.error_bound());
            EXPECT_LT(result.error_bound(), 0.5);
            // What is seen is covered: more than without the noise of the parts.
            EXPECT_GT(largest, 2 * x.error_bound());
        }
    }
}

TEST(Threshold, OneShareShortIsNothing) {
    World w;
    const auto shares = split_secret_key(w.secret, 3, w.random);
    const Ciphertext x = w.encrypted();
    auto parts = w.parts(shares, x);
    // The sum without one part is as good as random: decoding it as if it were all notices.
    const auto two = split_secret_key(w.secret, 2, w.random);
    std::vector<PartialDecryption> mixed{w.parts(two, x)[0],
                                         w.parts(split_secret_key(w.secret, 2, w.random), x)[1]};
    EXPECT_THAT(any_message_of([&] { w.encoder.decode(combine(x, mixed)); }),
                HasSubstr("out of its bounds"));
    parts.pop_back();
    EXPECT_THAT(any_message_of([&] { combine(x, parts); }),
                HasSubstr("all 3 parties are needed, got 2"));
    EXPECT_THAT(any_message_of([&] { combine(x, {}); }), HasSubstr("are needed"));
}

TEST(Threshold, RefusesWhatDoesNotFit) {
    World w;
    const auto shares = split_secret_key(w.secret, 2, w.random);
    const Ciphertext x = w.encrypted(), y = w.encrypted();
    auto parts = w.parts(shares, x);
    EXPECT_THAT(any_message_of([&] { combine(y, parts); }), HasSubstr("of another ciphertext"));
    parts[1] = parts[0];
    EXPECT_THAT(any_message_of([&] { combine(x, parts); }), HasSubstr("given twice"));
    EXPECT_THAT(any_message_of([&] { split_secret_key(w.secret, 1, w.random); }),
                HasSubstr("2..1024"));
    EXPECT_THAT(any_message_of([&] { partial_decrypt(shares[0], x, w.random, {.bits = 40}); }),
                HasSubstr("would drown the values"));
    const CkksEvaluator evaluator(w.context);
    EXPECT_THAT(any_message_of([&] {
                    partial_decrypt(shares[0], evaluator.multiply(x, x), w.random, {.bits = 8});
                }),
                HasSubstr("expected a ciphertext of 2"));
}

}  // namespace
}  // namespace ward::he
