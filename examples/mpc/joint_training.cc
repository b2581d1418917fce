#include "joint_training.h"

#include <algorithm>
#include <numeric>

#include "ward/mpc/fixed_point.h"
#include "ward/mpc/join.h"
#include "ward/mpc/learn/network.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"

namespace example {

using namespace ward;

void Records::add(const data::Dataset& data, size_t row, size_t first_feature, size_t features,
                  bool with_label) {
    ids.push_back("person-" + std::to_string(row));
    const size_t width = static_cast<size_t>(data.example_size());
    for (size_t c = 0; c < features; ++c) {
        values.push_back(data.inputs[row * width + first_feature + c]);
    }
    if (with_label) values.push_back(static_cast<double>(data.labels[row]));
    columns = features + (with_label ? 1 : 0);
}

mpc::SharedMatrix share_records(mpc::Party& party, int owner, const Records& records, size_t rows,
                                size_t columns) {
    mpc::RingMatrix table(rows, mpc::kKeyColumns + columns);
    const bool own = party.index() == owner;
    if (own) {
        const std::string what = "owner " + std::to_string(owner);
        const mpc::RingMatrix keys = mpc::hash_identifiers(records.ids, "example", what);
        const mpc::RingMatrix values = mpc::encode(records.values, rows, columns, what);
        for (size_t r = 0; r < rows; ++r) {
            mpc::Ring* row = &table.values[r * table.cols];
            std::copy_n(&keys.values[r * mpc::kKeyColumns], mpc::kKeyColumns, row);
            std::copy_n(&values.values[r * columns], columns, row + mpc::kKeyColumns);
        }
    }
    return mpc::share(party, owner, own ? &table : nullptr, rows, table.cols);
}

std::vector<double> train(mpc::Party& party, const mpc::SharedMatrix& rows, int epochs) {
    const size_t features = rows.cols - 1, batch = std::min<size_t>(32, rows.rows);
    mpc::NetworkWeights zero;
    zero.weights.emplace_back(features, 1);
    zero.biases.emplace_back(1, 1);
    for (auto* matrix : {&zero.weights[0], &zero.biases[0]}) {
        std::fill(matrix->values.begin(), matrix->values.end(), mpc::Ring{0});
    }
    mpc::Network network(party, {{features, 1}}, zero,
                         {.batch_size = batch, .learning_rate = 0.1, .momentum = 0.9});
    for (int epoch = 0; epoch < epochs; ++epoch) {
        const mpc::SharedMatrix mixed = mpc::shuffle_rows(party, rows);
        const mpc::SharedMatrix x = mpc::select_columns(mixed, 0, features);
        const mpc::SharedMatrix y = mpc::select_columns(mixed, features, 1);
        std::vector<size_t> chosen(batch);
        for (size_t at = 0; at + batch <= rows.rows; at += batch) {
            std::iota(chosen.begin(), chosen.end(), at);
            network.train_step(mpc::select_rows(x, chosen), mpc::select_rows(y, chosen));
        }
    }
    const mpc::NetworkWeights opened = network.reveal(party);
    std::vector<double> model = mpc::decode(opened.weights[0]);
    model.push_back(mpc::decode(opened.biases[0].values[0]));
    return model;
}

double accuracy(const std::vector<double>& model, const data::Dataset& data) {
    const size_t features = model.size() - 1;
    size_t right = 0;
    for (size_t r = 0; r < static_cast<size_t>(data.size()); ++r) {
        double score = model.back();
        for (size_t c = 0; c < features; ++c) score += model[c] * data.inputs[r * features + c];
        right += (score > 0) == (data.labels[r] == 1) ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(data.size());
}

}  // namespace example
