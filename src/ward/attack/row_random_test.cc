#include "ward/attack/internal/row_random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace ward::attack {
namespace {

constexpr int64_t kSize = 200003;

std::vector<float> normal_row(uint64_t seed, int64_t n = kSize) {
    std::vector<float> row(n);
    gaussian_row(seed, row.data(), n);
    return row;
}

double correlation(const std::vector<float>& a, const std::vector<float>& b, int64_t lag,
                   bool squares = false) {
    double sum = 0;
    for (int64_t j = 0; j + lag < kSize; ++j) {
        const double u = a[j], v = b[j + lag];
        sum += squares ? (u * u - 1) * (v * v - 1) / 2 : u * v;
    }
    return sum / double(kSize - lag);
}

// Moments within 4 standard errors, and the largest distance between the shares and those of the
// normal distribution under what 1 of 1000 samples exceeds. The seed is fixed: no false alarms.
TEST(RowRandom, DeviatesAreNormal) {
    std::vector<float> row = normal_row(1);
    double mean = 0, square = 0, fourth = 0;
    for (const double v : row) {
        mean += v / double(kSize);
        square += v * v / double(kSize);
        fourth += v * v * v * v / double(kSize);
    }
    const double error = 4 / std::sqrt(double(kSize));
    EXPECT_NEAR(mean, 0, error);
    EXPECT_NEAR(square, 1, error * std::sqrt(2.0));
    EXPECT_NEAR(fourth, 3, error * std::sqrt(96.0));
    std::sort(row.begin(), row.end());
    double distance = 0;
    for (int64_t j = 0; j < kSize; ++j) {
        const double share = std::erfc(-double(row[j]) / std::sqrt(2.0)) / 2;
        distance = std::max({distance, std::abs(share - double(j) / double(kSize)),
                             std::abs(share - double(j + 1) / double(kSize))});
    }
    EXPECT_LT(distance, 1.95 / std::sqrt(double(kSize)));
    EXPECT_LT(row.back(), 6.8f);
    EXPECT_GT(row.back(), 4.0f);
    EXPECT_LT(row.front(), -4.0f);
}

// Neighbours, the two deviates of one pair, lanes, and rows of seeds side by side do not know of
// each other, neither by value nor by size.
TEST(RowRandom, DeviatesAreUncorrelated) {
    const std::vector<float> row = normal_row(10), next = normal_row(11);
    const double error = 4 / std::sqrt(double(kSize));
    for (const bool squares : {false, true}) {
        for (const int64_t lag : {1, 2, 15, 16, 17, 32, 64})
            EXPECT_NEAR(correlation(row, row, lag, squares), 0, error) << lag << squares;
        for (const int64_t lag : {0, 1, 16, 32})
            EXPECT_NEAR(correlation(row, next, lag, squares), 0, error) << lag << squares;
    }
}

TEST(RowRandom, SignsAreFairAndUncorrelated) {
    std::vector<float> row(kSize), next(kSize);
    sign_row(20, row.data(), kSize);
    sign_row(21, next.data(), kSize);
    const double error = 4 / std::sqrt(double(kSize));
    double mean = 0;
    for (const float v : row) {
        ASSERT_EQ(std::abs(v), 1.0f);
        mean += v / double(kSize);
    }
    EXPECT_NEAR(mean, 0, error);
    for (const int64_t lag : {1, 16, 32}) EXPECT_NEAR(correlation(row, row, lag), 0, error) << lag;
    EXPECT_NEAR(correlation(row, next, 0), 0, error);
}

TEST(RowRandom, ShortRowsAreTheStartOfLongOnes) {
    const std::vector<float> row = normal_row(3, 100);
    for (const int64_t n : {1, 15, 16, 17, 31, 32, 33, 99}) {
        std::vector<float> part(n + 1, 77.0f);
        gaussian_row(3, part.data(), n);
        EXPECT_TRUE(std::equal(part.begin(), part.end() - 1, row.begin())) << n;
        EXPECT_EQ(part[n], 77.0f) << n;
    }
    EXPECT_NE(normal_row(4, 100), row);
}

}  // namespace
}  // namespace ward::attack
