// What both examples do after alignment: logistic regression on rows that no party knows.
#pragma once

#include <string>
#include <vector>

#include "ward/data/dataset.h"
#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace example {

// One owner's records: identifiers, and rows of features (and of the label, if it has it).
struct Records {
    std::vector<std::string> ids;
    std::vector<double> values;  // ids.size() x columns, row-major
    size_t columns = 0;

    void add(const ward::data::Dataset& data, size_t row, size_t first_feature, size_t features,
             bool with_label);
};

// Keys and values of the records, shared by `owner`; the other parties know only their number.
ward::mpc::SharedMatrix share_records(ward::mpc::Party& party, int owner, const Records& records,
                                      size_t rows, size_t columns);

// Trains on rows of features with the label in the last column and opens the model.
std::vector<double> train(ward::mpc::Party& party, const ward::mpc::SharedMatrix& rows, int epochs);

// Share of right answers of the opened model: weights, then the bias.
double accuracy(const std::vector<double>& model, const ward::data::Dataset& data);

}  // namespace example
