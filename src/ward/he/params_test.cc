#include "ward/he/params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/he/context.h"
#include "ward/he/testing/small_parameters.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using ward::testonly::any_message_of;

TEST(Parameters, EveryChoiceIsSecureAndMinimal) {
    for (SecurityLevel security : {SecurityLevel::k128, SecurityLevel::k192, SecurityLevel::k256}) {
        for (int depth : {0, 1, 3, 6, 10}) {
            for (int scale : {30, 40, 45}) {
                const Parameters p =
                    ckks_parameters({.depth = depth, .scale_bits = scale, .security = security});
                EXPECT_LE(modulus_bits(p), max_modulus_bits(p.log_degree, security));
                EXPECT_EQ(static_cast<int>(p.data_primes.size()), p.base_primes + depth);
                // A ring half as large could not hold the data primes and one special one.
                const double least =
                    modulus_bits(p) - (static_cast<double>(p.special_primes.size()) - 1) * 40;
                if (p.digit_primes == 1) {
                    EXPECT_GT(least, max_modulus_bits(p.log_degree - 1, security));
                }
            }
        }
    }
}

TEST(Parameters, FollowTheTableOf2024) {
    // Table 5.2, as printed and as the authors' script gives it; N = 2^10 .. 2^17.
    const int k128[] = {26, 53, 106, 214, 430, 868, 1747, 3523};
    const int k192[] = {0, 36, 73, 147, 297, 597, 1199, 2411};
    const int k256[] = {0, 27, 56, 114, 230, 462, 929, 0};
    for (int i = 0; i < 8; ++i) {
        EXPECT_EQ(max_modulus_bits(10 + i, SecurityLevel::k128), k128[i]);
        EXPECT_EQ(max_modulus_bits(10 + i, SecurityLevel::k192), k192[i]);
        EXPECT_EQ(max_modulus_bits(10 + i, SecurityLevel::k256), k256[i]);
    }
    EXPECT_EQ(max_modulus_bits(9, SecurityLevel::k128), 0);
}

TEST(Parameters, RefuseWhatNoRingHolds) {
    EXPECT_THAT(any_message_of([] { ckks_parameters({.depth = 60, .scale_bits = 48}); }),
                HasSubstr("no ring"));
    EXPECT_THAT(any_message_of([] { ckks_parameters({.depth = -1}); }), HasSubstr("depth must be"));
    EXPECT_THAT(any_message_of([] { ckks_parameters({.scale_bits = 60}); }),
                HasSubstr("scale_bits must be"));
    EXPECT_THAT(any_message_of([] { bfv_parameters({.plaintext_bits = 50}); }),
                HasSubstr("plaintext_bits must be"));
}

TEST(Context, RefusesInsecureSetsUnlessAskedByName) {
    const Parameters small = testonly::small_ckks(10, 2);
    EXPECT_THAT(any_message_of([&] { Context::create(small); }),
                HasSubstr("at most 26 bits together"));
    EXPECT_EQ(Context::create_insecure(small)->max_level(), 2);
    Parameters changed = ckks_parameters({.depth = 2});
    changed.security = SecurityLevel::k256;
    EXPECT_THAT(any_message_of([&] { Context::create(changed); }), HasSubstr("256-bit security"));
}

TEST(Context, RefusesPartsThatDoNotFitTogether) {
    const Parameters good = testonly::small_ckks(6, 2);
    const auto refused = [&](auto change) {
        Parameters p = good;
        change(p);
        return any_message_of([&] { Context::create_insecure(p); });
    };
    EXPECT_THAT(refused([](Parameters& p) { p.log_degree = 3; }), HasSubstr("log_degree"));
    EXPECT_THAT(refused([](Parameters& p) { p.data_primes.clear(); }), HasSubstr("data primes"));
    EXPECT_THAT(refused([](Parameters& p) { p.special_primes.clear(); }), HasSubstr("special"));
    EXPECT_THAT(refused([](Parameters& p) { p.digit_primes = 4; }), HasSubstr("digit_primes"));
    EXPECT_THAT(refused([](Parameters& p) { p.special_primes[0] = p.data_primes[0]; }),
                HasSubstr("distinct"));
    EXPECT_THAT(refused([](Parameters& p) { p.data_primes[1] += 2; }), HasSubstr("prime"));
    EXPECT_THAT(refused([](Parameters& p) { p.base_primes = 0; }), HasSubstr("base_primes"));
    EXPECT_THAT(refused([](Parameters& p) { p.scale_bits = 0; }), HasSubstr("scale_bits"));
}

TEST(Context, EqualParametersHaveEqualNames) {
    const Parameters p = testonly::small_ckks(6, 2);
    Parameters q = p;
    q.scale_bits = 39;
    EXPECT_EQ(Context::create_insecure(p)->id(), Context::create_insecure(p)->id());
    EXPECT_NE(Context::create_insecure(p)->id(), Context::create_insecure(q)->id());
}

}  // namespace
}  // namespace ward::he
