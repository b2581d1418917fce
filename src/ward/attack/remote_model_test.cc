#include "ward/attack/remote_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "ward/attack/evasion.h"
#include "ward/attack/extraction.h"
#include "ward/attack/internal/inference_json.h"
#include "ward/attack/target_service.h"
#include "ward/attack/testing/linear_target.h"
#include "ward/core/testing/errors.h"
#include "ward/model/zoo.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using testonly::LinearModel;
using testonly::middle_points;
using ward::testonly::error_of;
using ward::testonly::message_of;
using Instead = ServiceOptions::Instead;

constexpr int64_t kFeatures = 6, kClasses = 4;

#ifdef WARD_HTTP

class Remote : public ::testing::Test {
  protected:
    void serve(ServiceOptions options = {}) {
        options.input_shape = {kFeatures};
        options.on_query = [this](const std::string& digest) {
            ++served;
            if (!seen.insert(digest).second) ++twice;
        };
        service = std::make_unique<TargetService>(
            [this](const at::Tensor& rows) { return model.logits(rows); }, std::move(options));
    }

    RemoteOptions options() const {
        RemoteOptions result;
        result.url = service->url();
        result.model = "model";
        result.batch = 16;
        result.retries = 2;
        result.timeout_seconds = 5;
        result.classes = kClasses;
        return result;
    }

    void scores_arrive(const at::Tensor& expected) const {
        RemoteModel scores(options());
        EXPECT_EQ(scores.input_shape(), std::vector<int64_t>{kFeatures});
        EXPECT_TRUE(at::allclose(scores(x), expected, 0, 1e-6));
        EXPECT_EQ(scores.counts().sent, 40);
        EXPECT_EQ(scores.counts().requests, 3);
        EXPECT_TRUE(at::equal(scores(x.narrow(0, 3, 5)), scores(x).narrow(0, 3, 5)));
        EXPECT_EQ(served, 40) << "what is known is not asked again";
    }

    static SecretBytes secret(const std::string& text) {
        return SecretBytes(ByteView(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
    }

    LinearModel model = LinearModel::make(kClasses, kFeatures, 3);
    at::Tensor x = middle_points(40, kFeatures, 4);
    std::set<std::string> seen;
    int64_t served = 0, twice = 0;
    std::unique_ptr<TargetService> service;
};

TEST_F(Remote, ScoresLabelsAndTheLargestArrive) {
    serve();
    const at::Tensor expected = at::softmax(model.logits(x), 1);
    scores_arrive(expected);
    serve({.answer = Answer::kLabels});
    {
        RemoteModel labels(options());
        EXPECT_TRUE(at::equal(labels(x).argmax(1), expected.argmax(1)));
        EXPECT_EQ(labels.answer_kind(), Answer::kLabels);
    }

    serve({.answer = Answer::kTopK, .top_k = 2});
    RemoteModel largest(options());
    EXPECT_TRUE(at::allclose(largest(x), top_shares(expected, 2), 0, 1e-5));
    EXPECT_EQ(largest.answer_kind(), Answer::kTopK);
    EXPECT_EQ(largest.largest(), 2);
}

// Rounded shares may sum to more than 1; nothing is left for the others then.
TEST_F(Remote, RoundedLargestLeaveNothingBelowZero) {
    const std::string head =
        R"({"outputs":[{"name":"output","datatype":"BYTES","shape":[1,3],"data":)";
    const std::vector<std::pair<std::string, std::vector<float>>> cases = {
        {R"(["0.34:1","0.34:0","0.33:3"])", {0.34f, 0.34f, 0, 0.33f}},
        {R"(["0.5:1","0.3:0","0.1:3"])", {0.3f, 0.5f, 0.1f, 0.1f}},
        {R"(["0.99:1","0:0","0:3"])", {0, 0.99f, 0, 0}},
        {R"(["0.9:1","0.6:0","0.2:3"])", {0.6f, 0.9f, -0.8f, 0.2f}},
        {R"(["0.601:1","0.401:0","0.003:3"])", {0.401f, 0.601f, -0.997f, 0.003f}},
        {R"(["1:1","1:0","0:3"])", {1, 1, -1, 0}},
        {R"(["2.5:1","0.5:0","0.1:3"])", {0.5f, 2.5f, -0.9f, 0.1f}}};
    for (const auto& [data, expected] : cases) {
        serve({.instead = [&](int64_t) { return Instead{200, {}, head + data + "}]}"}; }});
        RemoteModel remote(options());
        EXPECT_EQ(remote.largest(), 0) << "not known yet";
        EXPECT_TRUE(
            at::allclose(remote(x.narrow(0, 0, 1)), torch::tensor(expected).view({1, 4}), 0, 1e-6))
            << data;
        EXPECT_EQ(remote.largest(), 3);
    }
}

TEST_F(Remote, ATokenOpensTheDoor) {
    serve({.token = "s3cret"});
    EXPECT_THAT(message_of([&] { RemoteModel refused(options()); }, ErrorCode::kRefused),
                HasSubstr("refuses us (401"));
    RemoteOptions with = options();
    with.token = secret("s3cret");
    EXPECT_EQ(RemoteModel(std::move(with))(x).size(0), 40);
    RemoteOptions open = options();
    open.url = "http://example.org";
    open.token = secret("s3cret");
    const std::string said =
        error_of([&] { RemoteModel refused(std::move(open)); }, ErrorCode::kRefused);
    EXPECT_THAT(said, HasSubstr("unencrypted"));
    EXPECT_THAT(said, ::testing::Not(HasSubstr("s3cret")));
}

TEST_F(Remote, WaitsWhenToldAndTriesAgain) {
    serve({.instead = [](int64_t request) -> std::optional<Instead> {
        if (request == 0) return Instead{429, {{"Retry-After", "0"}}, R"({"error":"slow down"})"};
        if (request == 1) return Instead{503, {{"Retry-After", "0"}}, ""};
        return std::nullopt;
    }});
    {
        RemoteModel remote(options());
        EXPECT_EQ(remote(x).size(0), 40);
        EXPECT_EQ(remote.counts().retries, 2);
        EXPECT_EQ(served, 40);
    }

    serve({.instead = [](int64_t) { return Instead{429, {{"Retry-After", "3600"}}, ""}; }});
    RemoteModel patient(options());
    EXPECT_THAT(message_of([&] { patient(x); }, ErrorCode::kRefused), HasSubstr("3600 seconds"));
}

TEST_F(Remote, EveryBadAnswerIsOneLine) {
    const std::string head = R"({"outputs":[{"name":"output","datatype":"FP32","shape":)";
    const std::vector<std::pair<Instead, std::string>> cases = {
        {{200, {}, "<html>"}, "not JSON"},
        {{200, {}, "{}"}, "without outputs"},
        {{200, {}, head + R"([1,4],"data":[1,2,3,4]}]})"}, "values of shape {1, 4} to 16 queries"},
        {{200, {}, head + R"([16,1],"data":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}]})"}, "one score"},
        {{200, {}, head + R"([1],"data":[NaN]}]})"}, "not finite"},
        {{400, {}, R"({"error":"wrong\nshape"})"}, "does not take the query (400: wrong shape)"},
        {{403, {}, "no"}, "refuses us (403: no)"},
        {{404, {}, ""}, "no such model"},
    };
    for (const auto& [instead, text] : cases) {
        serve({.instead = [&](int64_t) { return instead; }});
        RemoteModel remote(options());
        try {
            remote(x);
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_THAT(error.message(), HasSubstr(text));
            EXPECT_EQ(error.message().find('\n'), std::string::npos);
        }
    }
}

TEST_F(Remote, TimesOut) {
    serve({.instead = [](int64_t) { return Instead{200, {}, "", 0.4, true}; }});
    RemoteOptions hasty = options();
    hasty.timeout_seconds = 0.1;
    hasty.retries = 0;
    RemoteModel remote(std::move(hasty));
    EXPECT_THAT(message_of([&] { remote(x.narrow(0, 0, 2)); }, ErrorCode::kIo),
                HasSubstr("no answer in time"));
}

TEST_F(Remote, ALedgerPaysNothingTwice) {
    const std::string path = ::testing::TempDir() + "ward_remote.ledger";
    std::filesystem::remove(path);
    bool dead = false;
    serve({.instead = [&](int64_t) -> std::optional<Instead> {
        if (!dead) return std::nullopt;
        return Instead{500, {}, "gone"};
    }});
    const auto with_ledger = [&] {
        RemoteOptions result = options();
        result.ledger = path;
        return result;
    };
    at::Tensor first;
    {
        RemoteModel remote(with_ledger());
        first = remote(x.narrow(0, 0, 20));
    }
    {
        RemoteModel remote(with_ledger());
        EXPECT_TRUE(at::equal(remote(x).narrow(0, 0, 20), first)) << "to the last bit";
        EXPECT_EQ(remote.counts().sent, 20);
    }
    EXPECT_EQ(served, 40);
    EXPECT_EQ(twice, 0);
    dead = true;  // replayed without the service
    RemoteModel replay(with_ledger());
    EXPECT_EQ(replay(x).size(0), 40);
    EXPECT_EQ(replay.counts().sent, 0);
    std::filesystem::remove(path);
}

TEST_F(Remote, ScoreAndLabelAttacksWorkOverTheWire) {
    serve();
    RemoteModel remote(options());
    Target target([&](const at::Tensor& rows) { return remote(rows); }, Access::kScores);
    const Points points{x.narrow(0, 0, 8), model.logits(x.narrow(0, 0, 8)).argmax(1), at::Tensor()};
    EvasionOptions evasion{.norm = Norm::kLinf, .epsilon = 0.4, .steps = 40};
    const auto result = evade(target, *make_attack("square", evasion), points, evasion);
    EXPECT_EQ(result.clean_accuracy, 1);
    EXPECT_LT(result.robust_accuracy, 0.5);
}

TEST_F(Remote, ExtractionKeepsWhatItPaidFor) {
    serve({.instead = [](int64_t request) -> std::optional<Instead> {
        if (request >= 20) return Instead{500, {}, R"({"error":"out of credit"})"};
        return std::nullopt;
    }});
    RemoteModel remote(options());
    Target target([&](const at::Tensor& rows) { return remote(rows); }, Access::kScores);
    ExtractionOptions extraction;
    extraction.surrogate =
        model::make_model("logistic", {.input_shape = {kFeatures}, .outputs = kClasses});
    extraction.queries = 500;
    extraction.curve = {100, 200, 300, 400};
    const QueryPool pool{middle_points(600, kFeatures, 9), at::Tensor()};
    const auto result = extract(target, pool, x, at::Tensor(), extraction);
    EXPECT_THAT(result.partial, HasSubstr("out of credit"));
    EXPECT_EQ(result.queries, 200);
    EXPECT_GE(result.curve.size(), 2u);
}

TEST_F(Remote, RefusesWhatIsNoAddress) {
    for (const std::string url :
         {"", "host", "ftp://host", "http://", "http://a b", "http://u:p@host"}) {
        RemoteOptions options{.url = url, .model = std::string("m")};
        EXPECT_THAT(message_of([&] { RemoteModel refused(std::move(options)); }, ErrorCode::kUsage),
                    HasSubstr("http(s)://host"))
            << url;
    }
    RemoteOptions nobody{.url = std::string("http://127.0.0.1:1"), .model = std::string("m")};
    EXPECT_THAT(message_of([&] { RemoteModel refused(std::move(nobody)); }, ErrorCode::kIo),
                HasSubstr("no connection"));
}

#endif

TEST(InferenceJson, RequestsAreExact) {
    const float values[] = {0.1f, 1e-9f, -3, 16777216};
    const std::string text = write_inference_request("in", "out", {2, 2}, values, 4);
    EXPECT_THAT(text, HasSubstr("[0.1,1e-09,-3,16777216]"));
    EXPECT_THAT(text, HasSubstr("\"shape\":[2,2]"));
    const InferenceAnswer nested = read_inference_answer(
        R"({"outputs":[{"name":"a","shape":[1],"datatype":"INT64","data":[7]},)"
        R"({"name":"b","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4]]}]})",
        "b", 2);
    EXPECT_EQ(nested.rows[1], (std::vector<float>{3, 4}));
}

// Bytes of a hostile service end in an answer or in an Error, never in anything else.
TEST(InferenceJson, MutatedAnswersNeverCrash) {
    const std::string good =
        R"({"outputs":[{"name":"o","shape":[2,2],"datatype":"BYTES","data":["0.5:1","0.1:0","1:0","0:1"]}]})";
    uint64_t state = 1;
    const auto draw = [&](uint64_t n) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (state >> 33) % n;
    };
    int64_t refused = 0;
    for (int i = 0; i < 20000; ++i) {
        std::string text = good;
        for (uint64_t k = 0; k <= draw(3); ++k)
            text[draw(text.size()) % text.size()] = static_cast<char>(draw(256));
        try {
            read_inference_answer(text, "", 2);
        } catch (const Error&) {
            ++refused;
        }
    }
    EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace ward::attack
