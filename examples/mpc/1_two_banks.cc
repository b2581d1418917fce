// Two banks hold different columns about partly the same customers (a vertical split): the first
// one half of the features, the second the other half and who defaulted. They bring their customers
// together on shares, so that neither learns whom the other serves, and train one model.
//
//   mpc_example_1_two_banks [DATA [ROWS]]      for example .../credit-default 5000
//
// Without arguments it takes a small set that comes with Ward. The program fails unless the joint
// model is better than chance and the number of common customers is right.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "joint_training.h"
#include "ward/data/load.h"
#include "ward/mpc/join.h"
#include "ward/mpc/local.h"

int main(int argc, char** argv) {
    using namespace ward;
    const std::string source = argc > 1 ? argv[1] : "breast-cancer";
    const auto load = [&](const char* split) {
        return data::load_dataset({.data = source, .split = split}).dataset;
    };
    const data::Dataset people = load("train"), test = load("test");
    const size_t limit = argc > 2 ? static_cast<size_t>(std::atol(argv[2])) : 5000;
    const size_t rows = std::min(limit, static_cast<size_t>(people.size()));
    const size_t features = static_cast<size_t>(people.example_size()), half = features / 2;

    // Every tenth customer is not with the first bank, every eighth not with the second.
    example::Records banks[2];
    size_t common = 0;
    for (size_t r = 0; r < rows; ++r) {
        if (r % 10 != 3) banks[0].add(people, r, 0, half, false);
        if (r % 8 != 5) banks[1].add(people, rows - 1 - r, half, features - half, true);
        common += r % 10 != 3 && (rows - 1 - r) % 8 != 5 ? 1 : 0;
    }

    std::vector<double> model;
    size_t matched = 0;
    mpc::run_local([&](mpc::Party& party) {
        std::vector<mpc::SharedMatrix> tables;
        for (int bank : {0, 1}) {
            tables.push_back(example::share_records(party, bank, banks[bank],
                                                    banks[bank].ids.size(), banks[bank].columns));
        }
        const mpc::Joined joined = mpc::inner_join(party, tables);
        const mpc::SharedMatrix customers = mpc::open_count_and_keep(party, joined);
        const std::vector<double> opened = example::train(party, customers, 10);
        if (party.index() != 2) return;  // a bank would keep it; here one party reports
        model = opened;
        matched = customers.rows;
    });
    const double right = example::accuracy(model, test);
    size_t positive = 0;
    for (int64_t label : test.labels) positive += static_cast<size_t>(label);
    const double share = static_cast<double>(positive) / static_cast<double>(test.size());
    const double chance = std::max(share, 1 - share);
    std::printf(
        "%zu and %zu customers, %zu in common; accuracy of the joint model %.1f %% "
        "(most frequent class: %.1f %%)\n",
        banks[0].ids.size(), banks[1].ids.size(), matched, 100 * right, 100 * chance);
    return matched == common && right > chance + 0.01 ? EXIT_SUCCESS : EXIT_FAILURE;
}
