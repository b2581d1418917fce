// Pieces of the HTML page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ward/audit/report.h"

namespace ward::audit {

// Numbers the charts of a page and collects their data for the script.
class ChartSet {
  public:
    // Adds a chart; returns its id in the page.
    std::string add(const Chart& chart);
    // A JSON array that may stand inside <script>: no '<' in it.
    std::string script_json() const;

  private:
    std::vector<std::string> items_;
};

// `<tag class=...>text</tag>` with the text escaped; `attributes` are trusted.
std::string element(std::string_view tag, std::string_view attributes, std::string_view text);

std::string html_evidence(const Evidence& evidence);
std::string html_chart(const Chart& chart, ChartSet& charts);  // with its data as a table
std::string html_table(const Table& table);
std::string html_confusion(const ConfusionMatrix& matrix);

}  // namespace ward::audit
