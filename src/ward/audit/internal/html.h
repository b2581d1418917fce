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
// With its data as a table; a wide one takes a row of its own.
std::string html_chart(const Chart& chart, bool wide, ChartSet& charts);
std::string html_table(const Table& table);
std::string html_gallery(const Gallery& gallery);
// The picture inside the page, with this text for who does not see it; `heading` above its caption.
std::string html_picture(const Picture& picture, std::string_view alternative,
                         std::string_view heading);
std::string html_confusion(const ConfusionMatrix& matrix);

}  // namespace ward::audit
