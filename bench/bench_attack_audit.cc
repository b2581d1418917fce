// What audits find in `ward train`: lower bounds on epsilon beside the proved one, and whether
// broken trainings are exposed.
//
//   one run     canaries in gradient space, every run audited by itself
//   many runs   the same games pooled: canaries of one run lie in different coordinates
//   input       mislabelled examples, the final model only
//   noise / 2   the claimed plan, trained with half of its noise
//   no clipping the claimed plan, its noise, and gradients of twice the clipping norm let through
//   shuffled    batches of a shuffled order, claimed as Poisson samples
//   its control the same games with the Poisson samples that are claimed: sound
//
// The broken trainings stand here, not in the product. A claim should be contradicted in at most 5
// % of sound runs and in (nearly) all broken ones.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "ward/attack/canary_run.h"
#include "ward/attack/privacy_audit.h"
#include "ward/core/cpu.h"
#include "ward/core/parallel.h"
#include "ward/core/progress.h"
#include "ward/data/load.h"
#include "ward/model/zoo.h"
#include "ward/nn/runtime.h"
#include "ward/nn/threads.h"
#include "ward/train/private_step.h"
#include "ward/train/recipes.h"

namespace {

using namespace ward;

struct Options {
    data::LoadRequest data;
    std::vector<double> epsilons = {1, 3, 8};
    int64_t runs = 50, broken_runs = 5, canaries = 40000, batch = 512, shuffled_games = 4000;
    double epochs = 16;
    bool input = true;
};

struct Tally {
    std::string what;
    double claimed = 0;
    int64_t runs = 0, contradicted = 0;
    double pair = 0, curve = 0, highest = 0;

    void add(const attack::AuditBound& bound) {
        ++runs;
        contradicted += bound.contradicts ? 1 : 0;
        pair += bound.epsilon;
        curve += bound.curve_epsilon;
        highest = std::max({highest, bound.epsilon, bound.curve_epsilon});
    }

    void print() const {
        const auto n = static_cast<double>(runs);
        std::printf("%-12s %7.3f  %4ld  %8.3f (%3.0f %%)  %8.3f (%3.0f %%)  %8.3f  %5ld of %ld\n",
                    what.c_str(), claimed, static_cast<long>(runs), pair / n,
                    100 * pair / n / claimed, curve / n, 100 * curve / n / claimed, highest,
                    static_cast<long>(contradicted), static_cast<long>(runs));
        std::fflush(stdout);
    }
};

train::TrainOptions training(const Options& options, const data::Dataset& data, double epsilon) {
    train::TrainOptions run;
    run.spec = train::spec_for(data, "mlp", train::recipe_named("small-image"));
    run.batch_size = options.batch;
    run.epochs = options.epochs;
    run.evaluations = 1;
    run.schedule.learning_rate = 0.5;
    run.privacy.emplace();
    run.privacy->target_epsilon = epsilon;
    run.privacy->delta = 1e-5;
    return run;
}

// The training as it really runs: noise and clipping norm times these.
train::TrainOptions broken(const train::TrainOptions& claimed, const dp::PrivacyPlan& plan,
                           double noise, double clipping) {
    train::TrainOptions run = claimed;
    run.privacy->target_epsilon.reset();
    run.privacy->noise_multiplier = plan.noise_multiplier() * noise / clipping;
    run.privacy->clipping_norm = claimed.privacy->clipping_norm * clipping;
    return run;
}

attack::AuditGame pooled(attack::AuditGame all, const attack::AuditGame& more) {
    all.scores.insert(all.scores.end(), more.scores.begin(), more.scores.end());
    all.inserted.insert(all.inserted.end(), more.inserted.begin(), more.inserted.end());
    return all;
}

void audit_sound(const Options& options, const data::Dataset& data, double epsilon,
                 Random& random) {
    const train::TrainOptions run = training(options, data, epsilon);
    Tally one{"one run", epsilon}, many{"many runs", epsilon};
    attack::AuditGame games;
    attack::AuditClaim claim;
    for (int64_t i = 0; i < options.runs; ++i) {
        const attack::CanaryRun canaries =
            attack::audit_gradient_space(data, run, {options.canaries, 10}, random);
        one.add(attack::audit_one_run(canaries.game, canaries.claim));
        games = pooled(std::move(games), canaries.game);
        claim = canaries.claim;
    }
    one.print();
    many.add(attack::audit_many_runs(games, claim));
    many.print();
}

void audit_input(const Options& options, const data::Dataset& data, double epsilon,
                 Random& random) {
    Tally input{"input", epsilon};
    std::vector<int64_t> first(500), rest(data.size() - 500);
    std::iota(first.begin(), first.end(), 0);
    std::iota(rest.begin(), rest.end(), 500);
    const data::Dataset base = data::select_rows(data, rest);
    const train::TrainOptions run = training(options, data, epsilon);
    for (int64_t i = 0; i < options.broken_runs; ++i) {
        const data::Dataset canaries = attack::mislabelled(data::select_rows(data, first), random);
        const attack::CanaryRun found = attack::audit_input_space(base, canaries, run, random);
        input.add(attack::audit_one_run(found.game, found.claim));
    }
    input.print();
}

void audit_broken(const Options& options, const data::Dataset& data, double epsilon, Random& random,
                  const std::string& what, double noise, double clipping) {
    const train::TrainOptions claimed = training(options, data, epsilon);
    const dp::PrivacyPlan plan = train::plan_for(claimed, data);
    const train::TrainOptions run = broken(claimed, plan, noise, clipping);
    Tally tally{what, epsilon};
    for (int64_t i = 0; i < options.broken_runs; ++i) {
        const attack::CanaryRun canaries =
            attack::audit_gradient_space(data, run, {options.canaries, 10 / clipping}, random);
        tally.add(attack::audit_one_run(canaries.game, attack::claim_of(plan)));
    }
    tally.print();
}

// One game against a shuffled order: the other examples all pull the canary's coordinate down by
// the clipping norm, and fixed batches make their sum known. (Chua et al., "How Private are DP-SGD
// Implementations?", ICML 2024; Annamalai et al., "To Shuffle or not to Shuffle", 2024.)
class ShuffledGame {
  public:
    ShuffledGame(double epsilon, int64_t steps, int64_t batch, bool poisson)
        : steps_(steps),
          batch_(batch),
          poisson_(poisson),
          network_(tiny_spec(), 1),
          plan_(plan_of(epsilon)) {}

    const dp::PrivacyPlan& plan() const { return plan_; }

    double score(bool inserted, Random& random) {
        train::PrivateStep step(network_, plan_, 1, 1);
        const auto canary = static_cast<int64_t>(
            inserted ? random.below(static_cast<uint64_t>(steps_)) : uint64_t{0});
        const double sigma = plan_.noise_sigma_steps() * plan_.grid_step();
        double best = -INFINITY;
        std::vector<double> exponents;
        for (int64_t t = 0; t < steps_; ++t) {
            // N - 1 others fill the batches; without the canary the last batch is one short.
            const bool is_short = !inserted && t + 1 == steps_;
            bool here = inserted && t == canary;
            int64_t others = batch_ - (here || is_short ? 1 : 0);
            if (poisson_) {
                const auto one_in = static_cast<uint64_t>(steps_);
                here = inserted && random.below(one_in) == 0;
                others = 0;
                for (int64_t i = 1; i < steps_ * batch_; ++i)
                    others += random.below(one_in) == 0 ? 1 : 0;
            }
            std::vector<train::DiracCanary> drawn(others, {0, -1});
            if (here) drawn.push_back({0, 1});
            step.add_canaries(drawn);
            const double y =
                step.finish(random)[0].flatten()[0].item<double>() * static_cast<double>(batch_) +
                static_cast<double>(batch_);
            if (t + 1 < steps_) exponents.push_back((4 * y - 4) / (2 * sigma * sigma));
            best = exponents.empty() ? y : std::max(best, exponents.back());
        }
        double sum = 0;
        for (const double exponent : exponents) sum += std::exp(exponent - best);
        return best + std::log(sum);
    }

  private:
    static model::ModelSpec tiny_spec() {
        model::ZooOptions zoo;
        zoo.input_shape = {2};
        zoo.outputs = 2;
        return model::make_model("logistic", zoo);
    }

    dp::PrivacyPlan plan_of(double epsilon) const {
        dp::PlanRequest request;
        request.examples = steps_ * batch_;
        request.expected_batch = batch_;
        request.steps = steps_;
        request.delta = 1e-5;
        request.target_epsilon = epsilon;
        request.clipping_norm = 1;
        request.dimension = model::parameter_count(tiny_spec());
        request.sensitivity_margin = train::kSensitivityMargin;
        return dp::PrivacyPlan::create(request);
    }

    int64_t steps_, batch_;
    bool poisson_;
    nn::Network network_;
    dp::PrivacyPlan plan_;
};

void audit_shuffled(const Options& options, double epsilon, bool poisson, Random& random) {
    ShuffledGame game(epsilon, 10, 8, poisson);
    attack::AuditGame games;
    for (int64_t i = 0; i < options.shuffled_games; ++i) {
        games.inserted.push_back(static_cast<uint8_t>(random.below(2)));
        games.scores.push_back(game.score(games.inserted.back() != 0, random));
    }
    Tally tally{poisson ? "its control" : "shuffled", epsilon};
    tally.add(attack::audit_many_runs(games, attack::claim_of(game.plan())));
    tally.print();
}

void run(const Options& options) {
    const data::Dataset data = data::load_dataset(options.data).dataset;
    std::printf("%s, %d threads; %s, batch %ld of %ld, %g epochs, %ld canaries\n\n",
                cpu_features().brand.c_str(), num_threads(), data.name.c_str(),
                static_cast<long>(options.batch), static_cast<long>(data.size()), options.epochs,
                static_cast<long>(options.canaries));
    std::printf("%-12s %7s  %4s  %-17s  %-17s  %8s  %s\n", "audit", "claimed", "runs", "mean bound",
                "by its curve", "highest", "contradicted");
    Random random = Random::from_system();
    for (const double epsilon : options.epsilons) {
        if (options.runs > 0) audit_sound(options, data, epsilon, random);
        if (options.input) audit_input(options, data, epsilon, random);
        if (options.broken_runs > 0) {
            audit_broken(options, data, epsilon, random, "noise / 2", 0.5, 1);
            audit_broken(options, data, epsilon, random, "no clipping", 1, 2);
        }
        for (const bool poisson : {false, true}) {
            if (options.shuffled_games > 0) audit_shuffled(options, epsilon, poisson, random);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    nn::tune_process(argv);
    set_progress_mode(ProgressMode::kOff);
    Options options;
    options.data.data = "digits";
    CLI::App app{"Audits of private training, sound and broken"};
    app.add_option("--data", options.data.data, "Data set")->capture_default_str();
    app.add_option("--epsilon", options.epsilons, "Claimed")->delimiter(',');
    app.add_option("--runs", options.runs, "Sound trainings per epsilon")->capture_default_str();
    app.add_option("--broken-runs", options.broken_runs, "Of each broken kind")
        ->capture_default_str();
    app.add_option("--shuffled-games", options.shuffled_games)->capture_default_str();
    app.add_option("--canaries", options.canaries, "In each run")->capture_default_str();
    app.add_option("--batch", options.batch)->capture_default_str();
    app.add_option("--epochs", options.epochs)->capture_default_str();
    app.add_option("--input", options.input, "Also canaries in input space")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    nn::set_threads(num_threads());
    try {
        run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
