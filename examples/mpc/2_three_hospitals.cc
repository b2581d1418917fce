// Three hospitals hold the same columns about different patients (a horizontal split), and some
// patients have been in two of them. The rows are put together on shares, repeated patients are
// counted once, and one model is trained; no hospital learns whose patients the others have.
//
//   mpc_example_2_three_hospitals [DATA [ROWS]]
//
// The program fails unless the joint model is good and the number of patients is right.
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
    const data::Dataset patients = load("train"), test = load("test");
    const size_t limit = argc > 2 ? static_cast<size_t>(std::atol(argv[2])) : 5000;
    const size_t rows = std::min(limit, static_cast<size_t>(patients.size()));
    const size_t features = static_cast<size_t>(patients.example_size());

    example::Records hospitals[3];
    for (size_t r = 0; r < rows; ++r) {
        hospitals[r % 3].add(patients, r, 0, features, true);
        if (r % 7 == 0) hospitals[(r + 1) % 3].add(patients, r, 0, features, true);
    }

    std::vector<double> model;
    size_t counted = 0;
    mpc::run_local([&](mpc::Party& party) {
        std::vector<mpc::SharedMatrix> tables;
        for (int h : {0, 1, 2}) {
            tables.push_back(example::share_records(party, h, hospitals[h], hospitals[h].ids.size(),
                                                    features + 1));
        }
        const mpc::Joined all = mpc::distinct_rows(party, tables);
        const mpc::SharedMatrix kept = mpc::open_count_and_keep(party, all);
        const std::vector<double> opened = example::train(party, kept, 10);
        if (party.index() != 0) return;
        model = opened;
        counted = kept.rows;
    });
    const double right = example::accuracy(model, test);
    std::printf("%zu + %zu + %zu records of %zu patients; accuracy of the joint model %.1f %%\n",
                hospitals[0].ids.size(), hospitals[1].ids.size(), hospitals[2].ids.size(), counted,
                100 * right);
    return counted == rows && right > 0.9 ? EXIT_SUCCESS : EXIT_FAILURE;
}
