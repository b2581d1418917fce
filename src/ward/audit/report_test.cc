#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "ward/audit/internal/assets.h"
#include "ward/audit/internal/training_sections.h"
#include "ward/audit/render_html.h"
#include "ward/audit/render_json.h"
#include "ward/audit/testing/sample_records.h"
#include "ward/audit/training_report.h"
#include "ward/core/error.h"

namespace ward::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TrainingReportOptions sample_options() {
    return {"Title", "2026-01-31 12:00 UTC", "ward test", {"scripts/demo.sh"}};
}

Report sample_report() {
    return make_training_report({sample_record(true), sample_record(false),
                                 sample_record(true, "other"), sample_record(false, "third")},
                                sample_options());
}

TEST(AttackBounds, ByHand) {
    EXPECT_DOUBLE_EQ(attack_accuracy_bound(0, 0), 0.5);
    EXPECT_NEAR(attack_accuracy_bound(std::log(3.0), 0), 0.75, 1e-12);
    EXPECT_NEAR(attack_accuracy_bound(std::log(3.0), 0.1), 3.1 / 4, 1e-12);
    EXPECT_EQ(attack_accuracy_bound(5000, 1e-5), 1.0);
    // e^eps * rate + delta near zero; 1 - e^-eps (1 - delta - rate) near one.
    EXPECT_NEAR(attack_hit_rate_bound(std::log(3.0), 0.01, 0.1), 0.31, 1e-12);
    EXPECT_NEAR(attack_hit_rate_bound(std::log(3.0), 0.01, 0.6), 1 - 0.39 / 3, 1e-12);
    EXPECT_EQ(attack_hit_rate_bound(5000, 1e-5, 0.01), 1.0);
}

TEST(Text, UpperBoundsAreNeverRoundedDown) {
    EXPECT_EQ(epsilon_text(2.9301), "2.94");
    EXPECT_EQ(epsilon_text(2.93), "2.93");
    EXPECT_EQ(epsilon_text(0.99701), "0.998");
    EXPECT_EQ(epsilon_text(0.0123456), "0.0124");
    EXPECT_EQ(epsilon_text(123.41), "123.5");
    EXPECT_EQ(epsilon_text(0), "0");
    EXPECT_EQ(percent_up(0.9481), "94.9\u00a0%");
    EXPECT_EQ(percent_up(0.99993), "99.9930\u00a0%");
    EXPECT_EQ(percent_up(1.0), "100.0\u00a0%");
}

TEST(TrainingReport, PairsEachPrivateRunWithItsTwin) {
    const Report report = sample_report();
    ASSERT_EQ(report.subjects.size(), 3u);
    const Subject& pair = report.subjects[0];
    EXPECT_EQ(pair.id, "toy-mlp");
    ASSERT_EQ(pair.highlights.size(), 4u);
    EXPECT_EQ(pair.highlights[0].value, "\u03b5 \u2264 2.94");
    EXPECT_EQ(pair.highlights[2].value, "85.0\u00a0%");
    EXPECT_EQ(pair.highlights[3].value, "\u221210.0 points");
    EXPECT_THAT(pair.verdict, HasSubstr("without privacy reaches 95.0"));
    EXPECT_THAT(pair.sections[1].evidence[1].experiment, HasSubstr("paired interval"));
    // A private run alone, and a non-private one alone, which must say so loudly.
    EXPECT_EQ(report.subjects[1].highlights.size(), 3u);
    EXPECT_EQ(report.subjects[2].highlights[0].value, "none");
    EXPECT_EQ(report.subjects[2].highlights[0].tone, Highlight::Tone::kBad);
    EXPECT_THAT(report.subjects[2].verdict, HasSubstr("without a privacy guarantee"));
    EXPECT_THAT(report.summary, HasSubstr("3 models, 2 of them"));
    EXPECT_EQ(report.commands.size(), 5u);
    const Report lone = make_training_report({sample_record(false)}, sample_options());
    EXPECT_THAT(lone.summary, HasSubstr("One model, trained without a privacy guarantee."));
}

TEST(TrainingReport, PrivacyEvidenceCanBeRecomputed) {
    const Report report = sample_report();
    const Evidence& evidence = report.subjects[0].sections[0].evidence[0];
    EXPECT_EQ(evidence.support, Support::kProof);
    EXPECT_EQ(evidence.rerun,
              "ward account --sampling-rate 0.10000000000000001 --noise-multiplier "
              "1.1000000000000001 --steps 100 --delta 1.0000000000000001e-5 --json");
}

TEST(TrainingReport, SaysWhatIsNotCovered) {
    TrainingRecord record = sample_record(true);
    record.data.bounds_read_from_data = true;
    const Report report = make_training_report({record, sample_record(false)}, sample_options());
    std::string notes;
    for (const std::string& note : report.subjects[0].sections[0].notes) notes += note + "\n";
    EXPECT_THAT(notes, HasSubstr("The labels of the class list."));
    EXPECT_THAT(notes, HasSubstr("The bounds and categories"));
    EXPECT_THAT(notes, HasSubstr("test examples"));
    EXPECT_THAT(notes, HasSubstr("must not be released"));
}

TEST(TrainingReport, WithoutFlagsPerExampleTheIntervalIsUnpaired) {
    TrainingRecord twin = sample_record(false);
    twin.evaluation->right.clear();
    const Report report = make_training_report({sample_record(true), twin}, sample_options());
    EXPECT_THAT(report.subjects[0].sections[1].evidence[1].experiment, HasSubstr("unpaired"));
}

TEST(TrainingReport, SeveralPrivateRunsShareATwinAndHaveTheirOwnIds) {
    const Report report = make_training_report(
        {sample_record(true), sample_record(true), sample_record(false)}, sample_options());
    ASSERT_EQ(report.subjects.size(), 2u);
    EXPECT_EQ(report.subjects[1].id, "toy-mlp-2");
    EXPECT_EQ(report.subjects[1].highlights.size(), 4u);
}

TEST(TrainingReport, RefusesNothingAndTwoTwins) {
    EXPECT_THROW(make_training_report({}, sample_options()), Error);
    try {
        make_training_report({sample_record(false), sample_record(false)}, sample_options());
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.message(), "two non-private records of mlp on toy");
    }
}

TEST(RenderJson, HoldsTheSchemaAndTheFigures) {
    const auto json = nlohmann::json::parse(render_json(sample_report()));
    EXPECT_EQ(json["format"], "ward-report-1");
    const auto& subject = json["subjects"][0];
    std::set<std::string> ids;
    for (const auto& one : json["subjects"]) {
        for (const auto& section : one["sections"]) {
            for (const auto& evidence : section["evidence"]) {
                for (const char* key : {"claim", "support", "experiment", "figures", "rerun"}) {
                    EXPECT_TRUE(evidence.contains(key)) << key;
                }
                EXPECT_TRUE(ids.insert(evidence["id"]).second) << evidence["id"];
            }
        }
    }
    EXPECT_EQ(subject["sections"][0]["evidence"][0]["figures"][0]["value"], 2.9301);
    const auto& price = subject["sections"][1]["evidence"][1]["figures"][1];
    EXPECT_NEAR(price["value"].get<double>(), -0.1, 1e-12);
    EXPECT_LT(price["interval_95"][0].get<double>(), -0.1);
    EXPECT_EQ(subject["sections"][1]["confusion_matrices"][0]["counts"].size(), 2u);
}

TEST(EscapeHtml, CoversMarkupAndBrokenUtf8) {
    EXPECT_EQ(escape_html("<a href='x' b=\"y\">&"),
              "&lt;a href=&#39;x&#39; b=&quot;y&quot;&gt;&amp;");
    EXPECT_EQ(escape_html("y\xc3\xa9s \xf0\x9f\x98\x80"), "y\xc3\xa9s \xf0\x9f\x98\x80");
    const std::string bad = "\ufffd";
    EXPECT_EQ(escape_html("\xff"), bad);
    EXPECT_EQ(escape_html("\xc3"), bad);
    EXPECT_EQ(escape_html("\xc0\xaf"), bad + bad) << "overlong";
    EXPECT_EQ(escape_html("\xed\xa0\x80"), bad + bad + bad) << "surrogate";
    EXPECT_EQ(escape_html(std::string_view("\0\x1b", 2)), bad + bad);
}

TEST(RenderHtml, EscapesEveryTextOfTheRecords) {
    const std::string evil = "</script><img src=x onerror=alert(1)>\"'&";
    TrainingRecord record = sample_record(true);
    record.created_utc = record.software = record.command = evil;
    record.data.name = record.data.digest = evil;
    record.data.class_names = {evil, evil};
    record.model.name = record.model.digest = record.model.file = evil;
    record.privacy->adjacency = record.privacy->unit = record.privacy->sampler = evil;
    record.privacy->clipping = record.privacy->statement = evil;
    record.privacy->not_covered = record.privacy->warnings = {evil};
    record.resources.device = record.resources.cpu = record.resources.precision = evil;
    TrainingRecord twin = record;
    twin.privacy.reset();
    const std::string html =
        render_html(make_training_report({record, twin}, {evil, evil, evil, {evil}}));
    EXPECT_THAT(html, Not(HasSubstr("<img")));
    EXPECT_THAT(html, Not(HasSubstr("alert(1)>\"")));
    // Exactly the scripts of the page end in </script>.
    size_t ends = 0;
    for (size_t at = 0; (at = html.find("</script", at)) != std::string::npos; ++at) ++ends;
    EXPECT_EQ(ends, charts_available() ? 3u : 0u);
}

TEST(RenderHtml, NeedsNoNetworkAndAllowsOnlyItsOwnScripts) {
    const std::string html = render_html(sample_report());
    for (const char* request : {"src=", "href=\"http", "href='http", "url(", "@import", "<link",
                                "<iframe", "fetch(", "XMLHttpRequest"}) {
        EXPECT_THAT(html, Not(HasSubstr(request)));
    }
    EXPECT_THAT(html, HasSubstr("default-src 'none'"));
    EXPECT_THAT(html, Not(HasSubstr("script-src 'unsafe-inline'")));
    EXPECT_THAT(std::string(embedded_chart_js()), Not(HasSubstr("</script")));
    EXPECT_THAT(std::string(embedded_report_css()), Not(HasSubstr("</style")));
    EXPECT_FALSE(embedded_report_js().empty());
}

TEST(RenderHtml, EveryChartHasItsFiguresAsATable) {
    const std::string html = render_html(sample_report());
    const auto count = [&](const std::string& piece) {
        size_t found = 0;
        for (size_t at = 0; (at = html.find(piece, at)) != std::string::npos; ++at) ++found;
        return found;
    };
    EXPECT_EQ(count("<figure class=\"chart"), count("The figures behind it"));
    EXPECT_EQ(count("<canvas"), charts_available() ? count("<figure class=\"chart") : 0u);
    EXPECT_EQ(count("<canvas"), count("role=\"img\" aria-label=\""));
    EXPECT_EQ(count("<section"), count("</section>"));
    EXPECT_EQ(count("<div"), count("</div>"));
    EXPECT_EQ(count("<table"), count("</table>"));
    EXPECT_THAT(html, HasSubstr("<h1>Title</h1>"));
    EXPECT_THAT(html, HasSubstr("Best possible attack"));
}

TEST(RenderHtml, ManyClassesBecomeAListOfConfusions) {
    TrainingRecord record = sample_record(false);
    record.data.class_names.clear();
    Evaluation& evaluation = *record.evaluation;
    evaluation.confusion.assign(60, std::vector<int64_t>(60, 0));
    evaluation.confusion[59][58] = 6;
    evaluation.confusion[0][0] = 34;
    const std::string html = render_html(make_training_report({record}, sample_options()));
    EXPECT_THAT(html, HasSubstr("most frequent confusions"));
    EXPECT_THAT(html, Not(HasSubstr("class=\"confusion\"")));
}

}  // namespace
}  // namespace ward::audit
