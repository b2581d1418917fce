#include "ward/mpc/learn/shared_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/crypto/aead.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/join.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;
using Files = std::array<ShareFile, 3>;

// One owner: people first, ..., first + rows - 1; feature f of person p is p + 100 f.
Files owner(const std::string& name, size_t first, size_t rows, size_t features, bool labels,
            bool keys = true, const std::string& about = "{}", Ring tags = 0) {
    std::vector<std::string> ids;
    std::vector<double> values, classes;
    RingMatrix marks(rows, tags > 0 ? 1 : 0);
    for (size_t p = first; p < first + rows; ++p) {
        ids.push_back("person " + std::to_string(p));
        for (size_t f = 0; f < features; ++f)
            values.push_back(static_cast<double>(p + 100 * f) / 64);
        classes.push_back(p % 2 == 0 ? 0 : 1);
        if (tags > 0) marks.values[p - first] = tags + p;
    }
    const RingMatrix matrices[] = {keys ? hash_identifiers(ids, "test", name) : RingMatrix(rows, 0),
                                   encode(values, rows, features, name),
                                   labels ? encode(classes, rows, 1, name) : RingMatrix(rows, 0),
                                   marks};
    Random random = testonly::seeded_random(first + 1);
    return split_to_files(name, about, matrices, random);
}

// The same with `tags` + person as the tag of a row.
Files tagged(const std::string& name, size_t first, size_t rows, size_t features, bool labels,
             Ring tags) {
    return owner(name, first, rows, features, labels, true, "{}", tags);
}

std::vector<ShareFile> part(const std::vector<Files>& owners, int party) {
    std::vector<ShareFile> out;
    for (const Files& files : owners) out.push_back(files[static_cast<size_t>(party)]);
    return out;
}

const std::vector<std::string> kPaths = {"a.share", "b.share", "c.share"};

TEST(SharedJob, VerticalAlignmentBringsColumnsOfOnePersonTogether) {
    const std::vector<Files> owners = {owner("a", 0, 20, 2, false), owner("b", 10, 25, 1, true)};
    const SharedDataShape shape =
        require_fit(part(owners, 0), kPaths, Alignment::kVertical, false, true);
    EXPECT_EQ(shape.rows, 20u);
    EXPECT_EQ(shape.features, 3u);
    EXPECT_EQ(shape.label_columns, 1u);
    run_local([&](Party& party) {
        const AlignedData data =
            align(party, part(owners, party.index()), Alignment::kVertical, false);
        const RingMatrix x = open(party, data.features), y = open(party, data.labels);
        ASSERT_EQ(x.rows, 10u);
        for (size_t r = 0; r < 10; ++r) {
            const double person = decode(x.values[3 * r]) * 64;
            EXPECT_GE(person, 10);
            EXPECT_LT(person, 20);
            EXPECT_EQ(decode(x.values[3 * r + 1]) * 64, person + 100);
            EXPECT_EQ(decode(x.values[3 * r + 2]) * 64, person);
            EXPECT_EQ(decode(y.values[r]), static_cast<int>(person) % 2);
        }
    });
}

TEST(SharedJob, RowsThatWereAlignedBeforehandAreComparedAndPutSideBySide) {
    const Files a = owner("a", 10, 9, 2, false), b = owner("b", 10, 9, 1, true);
    const std::vector<Files> two = {a, b}, three = {a, b, owner("c", 10, 9, 1, false)};
    const std::vector<Files> other_b = {a, owner("b", 11, 9, 1, true)};
    const std::vector<Files> other_c = {a, b, owner("c", 11, 9, 1, false)};
    EXPECT_EQ(require_fit(part(two, 0), kPaths, Alignment::kRows, false, true).rows, 9u);
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                const auto put = [&](const std::vector<Files>& files) {
                    return align(party, part(files, party.index()), Alignment::kRows, false);
                };
                const AlignedData data = put(two);
                const RingMatrix x = open(party, data.features), y = open(party, data.labels);
                ASSERT_EQ(x.cols, 3u);
                for (size_t r = 0; r < 9; ++r) {
                    EXPECT_EQ(decode(x.values[3 * r]) * 64, static_cast<double>(10 + r));
                    EXPECT_EQ(decode(x.values[3 * r + 2]) * 64, static_cast<double>(10 + r));
                    EXPECT_EQ(decode(y.values[r]), static_cast<double>(r % 2));
                }
                EXPECT_EQ(put(three).features.cols, 4u);
                EXPECT_THAT(testonly::message_of([&] { (void)put(other_b); }, ErrorCode::kInvalid),
                            HasSubstr("rows of a and b are of different people"));
                EXPECT_THAT(testonly::message_of([&] { (void)put(other_c); }, ErrorCode::kInvalid),
                            HasSubstr("rows of a and c are of different people"));
            },
            {.security = security});
    }
}

// The sum itself would be found again by who tries out short identifiers.
TEST(SharedJob, TheCheckOfAlignedRowsOpensABitPerOwner) {
    const std::vector<Files> owners = {owner("a", 10, 9, 1, false), owner("b", 10, 9, 1, true),
                                       owner("c", 10, 9, 1, false)};
    run_local([&](Party& party) {
        (void)align(party, part(owners, party.index()), Alignment::kRows, false);
        (void)open(party, is_negative(party, SharedMatrix(1, 2)));
        EXPECT_EQ(party.ledger().total("align/open"), party.ledger().total("open"));
    });
}

// Rows come out in an order that nobody knows, so each brings the tag its owner gave it.
TEST(SharedJob, AlignedRowsKeepTheTagsOfTheirOwners) {
    const Files a = tagged("a", 0, 20, 2, false, Ring{1} << 63), b = owner("b", 10, 25, 1, true);
    const std::vector<Files> owners = {a, tagged("b", 10, 25, 1, true, 5000)};
    const std::vector<Files> one_tagged = {a, b};
    using Places = std::vector<size_t>;
    EXPECT_EQ(require_tags(part(owners, 0), kPaths, Alignment::kVertical, false), (Places{0, 1}));
    EXPECT_EQ(require_tags(part(one_tagged, 0), kPaths, Alignment::kVertical, false), Places{0});
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                const AlignedData data = align(party, part(owners, party.index()),
                                               Alignment::kVertical, false, Tags::kKept);
                const RingMatrix x = open(party, data.features), tags = open(party, data.tags);
                ASSERT_EQ(tags.rows, 10u);
                ASSERT_EQ(tags.cols, 2u);
                for (size_t r = 0; r < 10; ++r) {
                    const auto person = static_cast<Ring>(decode(x.values[3 * r]) * 64);
                    EXPECT_EQ(tags.values[2 * r], (Ring{1} << 63) + person);
                    EXPECT_EQ(tags.values[2 * r + 1], 5000 + person);
                }
            },
            {.security = security});
    }
    run_local([&](Party& party) {
        const auto files = part(one_tagged, party.index());
        const AlignedData one = align(party, files, Alignment::kVertical, false, Tags::kKept);
        EXPECT_EQ(one.tags.cols, 1u);
        EXPECT_EQ(one.features.cols, 3u);
        EXPECT_EQ(align(party, files, Alignment::kVertical, false).tags.cols, 0u);
    });
}

TEST(SharedJob, TagsOfRowsUnderOneAnotherAreOneColumn) {
    const std::vector<Files> owners = {tagged("a", 0, 8, 1, true, 1000),
                                       tagged("b", 5, 6, 1, true, 2000)};
    const std::vector<Files> same_rows = {tagged("a", 3, 5, 1, false, 1000),
                                          tagged("b", 3, 5, 1, true, 2000)};
    EXPECT_EQ(require_tags(part(owners, 0), kPaths, Alignment::kHorizontal, true),
              std::vector<size_t>{0});
    run_local([&](Party& party) {
        const AlignedData data =
            align(party, part(owners, party.index()), Alignment::kHorizontal, true, Tags::kKept);
        const RingMatrix x = open(party, data.features), tags = open(party, data.tags);
        ASSERT_EQ(tags.rows, 11u);
        for (size_t r = 0; r < 11; ++r) {  // of the first owner that has the person
            const auto person = static_cast<Ring>(decode(x.values[r]) * 64);
            EXPECT_EQ(tags.values[r], person + (person < 8 ? 1000 : 2000));
        }
        const AlignedData rows =
            align(party, part(same_rows, party.index()), Alignment::kRows, false, Tags::kKept);
        EXPECT_EQ(open(party, rows.tags).values[2 * 4 + 1], 2007u);
    });
}

// Rows that were shared in the order of their hashes come out in the order of the owner's table.
TEST(SharedJob, ResultsOnEachRowHaveTheOrderOfTheTable) {
    const auto put = [](Files files, const std::vector<Ring>& places) {
        RingMatrix column(places.size(), 1);
        std::copy(places.begin(), places.end(), column.values.begin());
        Random random = testonly::seeded_random(77);
        const auto parts = split(column, random);
        for (size_t i = 0; i < 3; ++i) files[i].matrices.push_back(parts[i]);
        return files;
    };
    const std::vector<Ring> order = {2, 0, 3, 1};
    const std::vector<Files> one = {put(tagged("a", 0, 4, 1, false, 900), order)};
    const std::vector<Files> two = {one[0], put(tagged("b", 50, 4, 1, false, 100), {3, 2, 1, 0})};
    const std::vector<Files> wrong = {one[0], put(tagged("b", 50, 4, 1, false, 100), {3, 2, 2, 0})};
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                const auto parts = [&](const std::vector<Files>& owners) {
                    return part(owners, party.index());
                };
                const AlignedData all =
                    align(party, parts(two), Alignment::kHorizontal, false, Tags::kKept);
                const RingMatrix x = open(party, all.features), tags = open(party, all.tags);
                for (size_t r = 0; r < 4; ++r) {
                    EXPECT_EQ(decode(x.values[order[r]]) * 64, static_cast<double>(r));
                    EXPECT_EQ(tags.values[order[r]], 900 + r);
                    EXPECT_EQ(decode(x.values[7 - r]) * 64, static_cast<double>(50 + r));
                }
                const AlignedData own =
                    align(party, parts(one), Alignment::kNone, false, Tags::kKept);
                EXPECT_EQ(decode(open(party, own.features).values[2]), 0);
                EXPECT_EQ(open(party, align(party, parts(one), Alignment::kNone, false).features)
                              .values[2],
                          encode_constant(2.0 / 64));
                EXPECT_THAT(testonly::message_of([&] {
                                (void)align(party, parts(wrong), Alignment::kHorizontal, false,
                                            Tags::kKept);
                            }),
                            HasSubstr("the table of b: two rows have one place"));
            },
            {.security = security});
    }
}

TEST(SharedJob, RefusesScoresThatNobodyCouldTellApart) {
    const Files a = owner("a", 0, 20, 2, false), b = owner("b", 10, 25, 2, false);
    const auto refused = [&](const std::vector<Files>& owners, Alignment alignment, bool distinct) {
        return testonly::message_of(
            [&] { (void)require_tags(part(owners, 0), kPaths, alignment, distinct); },
            ErrorCode::kInvalid);
    };
    EXPECT_THAT(refused({a, b}, Alignment::kVertical, false),
                HasSubstr("a.share: its rows have no tags"));
    EXPECT_THAT(refused({tagged("a", 0, 9, 2, false, 7), b}, Alignment::kHorizontal, true),
                HasSubstr("b.share: its rows have no tags"));
    for (Alignment kept : {Alignment::kRows, Alignment::kHorizontal}) {
        EXPECT_TRUE(require_tags(part({a, b}, 0), kPaths, kept, false).empty());
    }
    EXPECT_TRUE(require_tags(part({a}, 0), kPaths, Alignment::kNone, false).empty());
}

TEST(SharedJob, HorizontalAlignmentPutsRowsUnderOneAnother) {
    const std::vector<Files> owners = {owner("a", 0, 8, 2, true), owner("b", 5, 6, 2, true)};
    EXPECT_EQ(require_fit(part(owners, 1), kPaths, Alignment::kHorizontal, false, true).rows, 14u);
    run_local([&](Party& party) {
        const auto files = part(owners, party.index());
        const AlignedData all = align(party, files, Alignment::kHorizontal, false);
        EXPECT_EQ(all.features.rows, 14u);
        EXPECT_EQ(decode(open(party, all.features))[2 * 8], 5.0 / 64);
        EXPECT_EQ(align(party, files, Alignment::kHorizontal, true).labels.rows, 11u);
    });
}

TEST(SharedJob, TrainsAndScoresWhatNobodyKnows) {
    const std::vector<Files> owners = {owner("a", 0, 40, 1, true)};
    TrainingJob job;
    job.shape.widths = {1, 1};
    job.options = {.batch_size = 20, .learning_rate = 0.1, .momentum = 0.5};
    job.epochs = 3;
    job.examples = 40;
    for (double norm : {0.0, 1.0}) {
        job.options.clipping_norm = norm;
        Random random = testonly::seeded_random(2);
        const NetworkWeights initial = initial_weights(job.shape, random);
        run_local([&](Party& party) {
            const AlignedData data =
                align(party, part(owners, party.index()), Alignment::kNone, false);
            const SharedNetwork network = train_shared(party, job, initial, data);
            const RingMatrix scores = open(party, score_shared(party, network, data.features));
            const double w = decode(open(party, network.weights[0]).values[0]);
            const double b = decode(open(party, network.biases[0]).values[0]);
            EXPECT_NE(w, decode(initial.weights[0].values[0]));
            for (size_t p = 0; p < 40; ++p) {
                EXPECT_NEAR(decode(scores.values[p]), w * static_cast<double>(p) / 64 + b, 0x1p-14);
            }
            TrainingJob other = job;
            other.examples = 39;
            EXPECT_THAT(testonly::message_of([&] { train_shared(party, other, initial, data); },
                                             ErrorCode::kUsage),
                        HasSubstr("40 rows, the job 39"));
        });
    }
}

// Killed in the second of three epochs and started again, twice from the same files: alignment
// puts the rows into the same secret order, so nothing is trained on twice and the model is the
// same; private training repeats its steps under other masks.
TEST(SharedJob, GoesOnFromCheckpointsWithTheSameRowsInTheSameOrder) {
    const std::vector<Files> owners = {owner("a", 0, 30, 1, false), owner("b", 6, 30, 1, true)};
    TrainingJob job;
    job.shape.widths = {2, 1};
    job.options = {.batch_size = 8, .learning_rate = 0.1, .momentum = 0.5};
    job.epochs = 3;
    job.examples = 24;
    const std::string folder = ::testing::TempDir() + "/ward_shared_checkpoint";
    const std::string copy = folder + ".copy";
    const SecretBytes key = crypto::Aead::new_key();
    RingMatrix rows;
    const auto run = [&](int killed_after) {
        NetworkWeights out;
        run_local([&](Party& party) {
            const CheckpointPlace place = {folder + "/" + std::to_string(party.index()), &key,
                                           "job", party.index()};
            Resumption resumption(party, place, 2, job, "");
            resumption.restore();
            const AlignedData data =
                align(party, part(owners, party.index()), Alignment::kVertical, false);
            const RingMatrix opened = open(party, data.features);
            const SharedNetwork network = train_shared(
                party, job, zero_weights(job.shape), data,
                [&](int epochs) {
                    if (epochs == killed_after) throw Error(ErrorCode::kUsage, "killed");
                },
                &resumption);
            const RingMatrix weights = open(party, network.weights[0]);
            if (party.index() != 0) return;
            rows = opened;
            out.weights.push_back(weights);
        });
        return out.weights.at(0).values;
    };
    const auto refill = [](const std::string& to, const std::string& from) {
        std::filesystem::remove_all(to);
        std::filesystem::copy(from, to);
    };
    for (double norm : {0.0, 1.0}) {
        job.options.clipping_norm = norm;
        job.options.noise_multiplier = norm / 50;  // moves no two runs alike
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(folder);
        testonly::error_of([&] { (void)run(2); }, ErrorCode::kUsage);
        refill(copy, folder);
        const RingVector one = run(0), order_of_one = rows.values;
        refill(folder, copy);
        const RingVector other = run(0);
        EXPECT_EQ(rows.values, order_of_one);
        EXPECT_EQ(one == other, norm == 0);
        for (size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(decode(one[i]), decode(other[i]), 0.01);
    }
    std::filesystem::remove_all(folder);
    std::filesystem::remove_all(copy);
}

TEST(SharedJob, RefusesOwnersThatDoNotFitAndNamesBoth) {
    const auto refused = [](const std::vector<Files>& owners, Alignment alignment,
                            bool distinct = false) {
        return testonly::message_of(
            [&] { (void)require_fit(part(owners, 0), kPaths, alignment, distinct, true); });
    };
    const Files a = owner("a", 0, 4, 2, true), b = owner("b", 0, 4, 3, true);
    EXPECT_THAT(refused({a, b}, Alignment::kHorizontal),
                HasSubstr("a.share and b.share: have 2 and 3 inputs"));
    EXPECT_THAT(refused({a, b}, Alignment::kVertical),
                HasSubstr("a.share and b.share: both bring labels"));
    EXPECT_THAT(refused({a, owner("c", 0, 5, 2, false)}, Alignment::kRows),
                HasSubstr("have 4 and 5 rows"));
    EXPECT_THAT(refused({a, b}, Alignment::kNone), HasSubstr("several owners need align"));
    EXPECT_THAT(refused({a}, Alignment::kVertical), HasSubstr("needs two owners or more"));
    EXPECT_THAT(refused({a, owner("c", 0, 4, 2, false)}, Alignment::kHorizontal),
                HasSubstr("labels of 1 and 0 columns"));
    EXPECT_THAT(refused({a, owner("c", 0, 4, 2, true, true, "{\"x\":1}")}, Alignment::kHorizontal),
                HasSubstr("encoded in different ways"));
    EXPECT_THAT(refused({a, owner("c", 0, 4, 2, true, false)}, Alignment::kHorizontal, true),
                HasSubstr("b.share: has no identifiers"));
    EXPECT_THAT(refused({owner("c", 0, 4, 2, false)}, Alignment::kNone),
                HasSubstr("no owner brings labels"));
}

}  // namespace
}  // namespace ward::mpc
