#include "ward/attack/table_attack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ward/attack/table_rules.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/data/encode.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

// age 0..50 whole, income real, city of 3, sex of 2 (may miss), visits 0..1000 whole by log (may
// miss): inputs 0, 1, 2-4, 5-7, 8-9.
constexpr const char* kSchema = R"(ward_schema: 1
name: people
columns:
  - {name: age, kind: integer, min: 0, max: 50}
  - {name: income, kind: numeric, min: 0, max: 100}
  - {name: city, kind: categorical, categories: [a, b, c]}
  - {name: sex, kind: categorical, categories: [f, m], missing: category}
  - {name: visits, kind: integer, min: 0, max: 1000, scaling: log1p, missing: category}
  - {name: sick, kind: label, classes: ["no", "yes"]}
)";
constexpr int64_t kInputs = 10;

// Rows by hand, as data::encode writes them.
at::Tensor row_of(int age, double income, int city, int sex, int visits) {
    at::Tensor x = torch::zeros({1, kInputs});
    float* v = x.data_ptr<float>();
    v[0] = static_cast<float>(age / 50.0);
    v[1] = static_cast<float>(income / 100);
    v[2 + city] = 1;
    v[5 + sex] = 1;
    if (visits < 0) v[9] = 1;
    if (visits > 0) v[8] = static_cast<float>(std::log1p(double(visits)) / std::log1p(1000.0));
    return x;
}

class TableRows : public ::testing::Test {
  protected:
    TableRows() {
        set_progress_mode(ProgressMode::kOff);
        const data::Schema schema = data::parse_schema(kSchema, "test");
        preprocessing_ = R"({"ward_preprocessing": 1, "kind": "table", "schema": )" +
                         data::schema_to_json(schema) + "}";
        rules_ = table_rules(preprocessing_);
        options_.norm = Norm::kLinf;
        options_.epsilon = 0.1;
    }

    at::Tensor settled(const at::Tensor& x, const at::Tensor& found) const {
        return nearest_rows(rules_, x, found, options_);
    }

    // A linear model of two classes: yes where w . x > 0.
    Target linear(const at::Tensor& w, double bias, Access access = Access::kWhiteBox) const {
        return Target(
            [w, bias](const at::Tensor& x) {
                const at::Tensor z = x.matmul(w) + bias;
                return at::stack({-z, z}, 1);
            },
            access);
    }

    EvasionResult evade_with(Target& target, const at::Tensor& x, const std::string& attack) {
        options_.table = std::make_shared<const TableRules>(rules_);
        const auto made = make_attack(attack, options_);
        return evade(target, *made, {x, target.labels(x).clone(), at::Tensor()}, options_);
    }

    std::string preprocessing_;
    TableRules rules_;
    EvasionOptions options_;
};

TEST_F(TableRows, RulesAreThoseOfTheSchema) {
    EXPECT_EQ(rules_.inputs, kInputs);
    ASSERT_EQ(rules_.groups.size(), 2u);
    EXPECT_EQ(rules_.groups[0].first, 2);
    EXPECT_EQ(rules_.groups[0].count, 3);
    EXPECT_EQ(rules_.groups[1].count, 3) << "with (missing)";
    ASSERT_EQ(rules_.grids.size(), 2u);
    EXPECT_EQ(rules_.grids[1].input, 8);
    ASSERT_EQ(rules_.flags.size(), 1u);
    EXPECT_EQ(rules_.flags[0].input, 9);
    EXPECT_TRUE(table_rules(R"({"kind": "array", "scale": 255})").empty());
    EXPECT_TRUE(table_rules("").empty());
}

TEST_F(TableRows, GridsHoldWholeNumbersOnly) {
    const TableRules::Grid& visits = rules_.grids[1];
    for (const int value : {0, 1, 7, 500, 999, 1000}) {
        const float encoded = row_of(0, 0, 0, 0, value)[0][8].item<float>();
        EXPECT_EQ(visits.nearest(encoded), encoded) << value;
        EXPECT_EQ(visits.towards(encoded, encoded), encoded) << value;
    }
    const TableRules::Grid& age = rules_.grids[0];
    EXPECT_FLOAT_EQ(age.nearest(0.513f), 0.52f);
    EXPECT_FLOAT_EQ(age.towards(0.513f, 0.4f), 0.5f);
    EXPECT_FLOAT_EQ(age.towards(0.513f, 0.6f), 0.52f);
    EXPECT_FLOAT_EQ(age.towards(0.405f, 0.4f), 0.4f) << "less than a step is none";
    EXPECT_FLOAT_EQ(age.nearest(1.2f), 1.0f) << "the declared bounds";
}

TEST_F(TableRows, PointsGoToTheNearestRow) {
    const at::Tensor x = row_of(20, 30, 0, 1, -1);
    at::Tensor found = x.clone();
    float* v = found.data_ptr<float>();
    v[0] += 0.094f;  // 24.7 years
    v[1] += 0.05f;   // income is no whole number
    v[3] = 0.9f;     // two cities
    v[8] = 0.3f;     // visits that are missing
    EXPECT_FALSE(are_rows(rules_, x, found).item<bool>());
    at::Tensor row = settled(x, found);
    EXPECT_TRUE(are_rows(rules_, x, row).item<bool>());
    EXPECT_TRUE(at::allclose(row, row_of(25, 35, 0, 1, -1), 0, 1e-6)) << row;
    v[3] = 1.2f;
    rules_.changes = 1;
    EXPECT_TRUE(at::allclose(settled(x, found), row_of(25, 35, 1, 1, -1), 0, 1e-6));
    v[5] = 1.5f;  // a larger wish: the other sex
    row = settled(x, found);
    EXPECT_TRUE(at::allclose(row, row_of(25, 35, 0, 0, -1), 0, 1e-6)) << "one change only";
    rules_.groups[1].fixed = true;
    EXPECT_TRUE(at::allclose(settled(x, found), row_of(25, 35, 1, 1, -1), 0, 1e-6));
    EXPECT_FALSE(are_rows(rules_, x, row).item<bool>()) << "a fixed column changed";
    rules_.changes = 0;
    EXPECT_FALSE(are_rows(rules_, x, row_of(25, 35, 1, 1, -1)).item<bool>());
}

TEST_F(TableRows, RoundingStaysInTheBallAndKeepsToTheMoves) {
    const at::Tensor x = row_of(20, 30, 0, 1, 5);
    at::Tensor found = x.clone();
    found[0][0] += 0.0999;  // 24.995 years: 25 is in the ball of 0.1
    EXPECT_NEAR(settled(x, found)[0][0].item<float>(), 0.5, 1e-6);
    options_.epsilon = 0.095;
    found[0][0] = 0.495;  // 24.75: 25 is not
    EXPECT_NEAR(settled(x, found)[0][0].item<float>(), 0.48, 1e-6);
    options_.norm = Norm::kL2;
    options_.epsilon = 0.1;
    found[0][0] = 0.4 + 0.075;   // 23.75
    found[0][1] = 0.3 + 0.0661;  // just inside together, and not with 24 years
    const at::Tensor row = settled(x, found);
    EXPECT_NEAR(row[0][0].item<float>(), 0.46, 1e-6);
    options_.norm = Norm::kLinf;
    options_.moves.assign(kInputs, Move::kFree);
    options_.moves[0] = Move::kDown;
    EXPECT_EQ(settled(x, found)[0][0].item<float>(), x[0][0].item<float>());
}

// Yes where age and city b weigh enough: everything can be counted by hand.
TEST_F(TableRows, FindsTheRowThatIsThere) {
    at::Tensor w = torch::zeros({kInputs});
    w[0] = 1;    // a year is 0.02
    w[3] = 0.5;  // city b
    w[5] = 0.2;  // f
    // age 20 -> 0.4: needs more than 0.05 more, 3 years
    Target target = linear(w, -0.45);
    const at::Tensor x = row_of(20, 30, 0, 1, 5);
    options_.epsilon = 0.055;  // 2.75 years are 2
    EXPECT_EQ(evade_with(target, x, "pgd").robust_accuracy, 1);
    EvasionResult result = evade_with(target, x, "table");
    EXPECT_EQ(result.robust_accuracy, 1) << "between rows there is a point, no row";
    EXPECT_TRUE(std::isnan(result.robust_accuracy_8bit));
    options_.epsilon = 0.06;
    result = evade_with(target, x, "table");
    EXPECT_EQ(result.robust_accuracy, 0);
    EXPECT_EQ(result.rejected, 0);
    EXPECT_NEAR(result.adversarial[0][0].item<float>(), 0.46, 1e-6) << "23 years";
    options_.epsilon = 0.001;
    EXPECT_EQ(evade_with(target, x, "table").robust_accuracy, 1);
    rules_.changes = 1;
    result = evade_with(target, x, "table");
    EXPECT_EQ(result.robust_accuracy, 0) << "another city";
    EXPECT_EQ(result.adversarial[0][3].item<float>(), 1);
    EXPECT_EQ(result.adversarial[0][2].item<float>(), 0);
    EXPECT_NEAR(result.mean_norm, 0, 1e-3) << "the ball is that of numbers";
    rules_.groups[0].fixed = true;
    result = evade_with(target, x, "table");
    EXPECT_EQ(result.robust_accuracy, 0) << "the sex is enough";
    rules_.groups[1].fixed = true;
    EXPECT_EQ(evade_with(target, x, "table").robust_accuracy, 1);
}

TEST_F(TableRows, TriesWhatSlopesGetWrong) {
    rules_.changes = 1;
    Target target([](const at::Tensor& x) {
        // Yes for city c alone; the slope at city a points away from it.
        const at::Tensor c = x.select(1, 4);
        const at::Tensor z = 4 * c * c - 2.2 * c - 1 + 0 * x.sum(1);
        return at::stack({-z, z}, 1);
    });
    options_.epsilon = 0.05;
    const at::Tensor x = at::cat({row_of(20, 30, 0, 1, 5), row_of(10, 10, 1, 0, 2)});
    EXPECT_EQ(evade_with(target, x, "table").robust_accuracy, 0);
}

// Whatever an attack hands back, only rows count.
TEST_F(TableRows, OnlyRowsCount) {
    at::Tensor w = torch::zeros({kInputs});
    w[3] = 1;
    w[0] = 0.3;
    Target target = linear(w, -0.5);
    std::vector<at::Tensor> rows;
    for (int i = 0; i < 12; ++i) rows.push_back(row_of(15 + i, 5 * i, i % 3, i % 2, i - 1));
    const at::Tensor x = at::cat(rows);
    options_.epsilon = 0.3;
    for (const std::string attack : {"pgd", "fgsm", "square", "deepfool", "table"}) {
        rules_.changes = 1;
        const EvasionResult result = evade_with(target, x, attack);
        EXPECT_TRUE(are_rows(rules_, x, result.adversarial).all().item<bool>()) << attack;
        EXPECT_TRUE(are_rows(rules_, x, result.allowed).all().item<bool>()) << attack;
        if (attack == "table") {
            EXPECT_EQ(result.robust_accuracy, 0) << "into city b, or out of it";
        }
    }
    rules_.changes = 0;
    EXPECT_EQ(evade_with(target, x, "table").robust_accuracy, 1);
    options_.table = nullptr;
    EXPECT_THAT(message_of([&] { make_attack("table", options_); }, ErrorCode::kUsage),
                HasSubstr("rows of a table with a schema"));
    rules_.inputs = 3;
    EXPECT_THAT(message_of([&] { evade_with(target, x, "pgd"); }), HasSubstr("of other inputs"));
}

}  // namespace
}  // namespace ward::attack
