// Evidence, charts, tables and confusion matrices as HTML.
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ward/audit/internal/html.h"
#include "ward/audit/internal/text.h"
#include "ward/audit/render_html.h"

namespace ward::audit {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxConfusionClasses = 40;  // above: the most frequent confusions instead
constexpr size_t kMaxConfusionPairs = 40;
constexpr size_t kMaxTablePoints = 400;  // of a chart's data table
constexpr std::array<const char*, 3> kKinds = {"line", "scatter", "bar"};

struct SupportText {
    const char* tone;
    const char* label;
};
constexpr std::array<SupportText, 3> kSupports = {
    {{"proof", "Proven"}, {"measured", "Measured"}, {"stated", "Stated, not checked here"}}};

// No more decimals than the interval gives a meaning to: two digits of its width.
int decimals_for(const Figure& figure, double scale) {
    constexpr int kMostDecimals = 2;
    if (!figure.interval) return kMostDecimals;
    const double width = scale * (figure.interval->high - figure.interval->low);
    return width >= 1 ? 1 : kMostDecimals;
}

std::string figure_value(const Figure& figure, double value) {
    if (figure.unit == "%") return percent(value, decimals_for(figure, 100));
    if (figure.unit == "points") return points(value, decimals_for(figure, 100)) + " points";
    if (figure.interval && figure.unit.empty() && std::abs(value) <= 1) return fixed(value, 3);
    if (value > 0 && value < 0.001) return small_probability(value);
    return significant(value, 5) + (figure.unit.empty() ? "" : " " + figure.unit);
}

std::string figure_interval(const Figure& figure) {
    if (!figure.interval) return "";
    return figure_value(figure, figure.interval->low) + " to " +
           figure_value(figure, figure.interval->high);
}

std::string command_block(const std::string& command) {
    if (command.empty()) return "";
    return "<details class=\"rerun\"><summary>How to run it again</summary><pre><code>" +
           escape_html(command) + "</code></pre></details>";
}

// A point of an axis in the data table.
std::string axis_value(double value, bool as_percent) {
    return as_percent ? percent(value, 2) : significant(value, 6);
}

Table bar_data(const Chart& chart) {
    Table table{"", {chart.x_label}, {}, chart.series.size()};
    for (const Series& series : chart.series) table.header.push_back(series.name);
    for (size_t i = 0; i < chart.categories.size(); ++i) {
        std::vector<std::string> row = {chart.categories[i]};
        for (const Series& series : chart.series) {
            row.push_back(i < series.y.size() ? axis_value(series.y[i], chart.y_percent) : "");
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

std::string interval_text(const Chart& chart, const Series& series, size_t i) {
    if (i >= series.low.size() || i >= series.high.size() || std::isnan(series.low[i])) return "";
    return axis_value(series.low[i], chart.y_percent) + " to " +
           axis_value(series.high[i], chart.y_percent);
}

Table point_data(const Chart& chart) {
    const bool intervals = std::any_of(chart.series.begin(), chart.series.end(),
                                       [](const Series& series) { return !series.low.empty(); });
    Table table{"", {"Series", chart.x_label, chart.y_label}, {}, 2};
    if (intervals) table.header.push_back("95 %");
    table.number_columns = table.header.size() - 1;
    for (const Series& series : chart.series) {
        const size_t count = std::min(series.x.size(), series.y.size());
        // Long curves: every k-th point and the last.
        const size_t stride = count / kMaxTablePoints + 1;
        for (size_t i = 0; i < count;
             i += (i + stride < count || i + 1 == count) ? stride : count - 1 - i) {
            table.rows.push_back({series.name, axis_value(series.x[i], chart.x_percent),
                                  axis_value(series.y[i], chart.y_percent)});
            if (intervals) table.rows.back().push_back(interval_text(chart, series, i));
        }
    }
    return table;
}

std::string html_outcome(Tone tone, const std::string& text) {
    constexpr std::array<const char*, 4> kClasses = {"badge", "badge good", "badge caution",
                                                     "badge bad"};
    return element("span", "class=\"" + std::string(kClasses[static_cast<size_t>(tone)]) + "\"",
                   text);
}

std::string table_body(const Table& table) {
    const size_t columns = table.header.size();
    const auto cell = [&](const char* tag, size_t column, const std::string& text, bool row_head) {
        const bool number = column + table.number_columns >= columns;
        std::string attributes = number ? "class=\"num\"" : "";
        if (row_head) attributes += " scope=\"row\"";
        return element(tag, attributes, text);
    };
    std::string html = "<thead><tr>";
    for (size_t i = 0; i < columns; ++i) html += cell("th", i, table.header[i], false);
    html += "</tr></thead><tbody>";
    const bool no_header = std::all_of(table.header.begin(), table.header.end(),
                                       [](const std::string& text) { return text.empty(); });
    if (no_header) html = "<tbody>";
    for (size_t r = 0; r < table.rows.size(); ++r) {
        const std::vector<std::string>& row = table.rows[r];
        html += "<tr>";
        for (size_t i = 0; i < row.size(); ++i) {
            if (r < table.tones.size() && i > 0 && i + 1 == row.size()) {
                html += "<td>" + html_outcome(table.tones[r], row[i]) + "</td>";
            } else {
                html += cell(i == 0 ? "th" : "td", i, row[i], i == 0);
            }
        }
        html += "</tr>";
    }
    return html + "</tbody>";
}

std::string confusion_cell(int64_t count, int64_t row_total, bool diagonal) {
    const double share =
        row_total > 0 ? static_cast<double>(count) / static_cast<double>(row_total) : 0;
    // The square root makes rare confusions visible beside a diagonal near 1.
    const int strength = static_cast<int>(std::lround(100 * std::sqrt(share)));
    return "<td class=\"" + std::string(diagonal ? "hit" : "miss") +
           (strength >= 60 ? " strong" : "") + "\" style=\"--s:" + std::to_string(strength) +
           "%\">" + (count == 0 ? "<span class=\"zero\">0</span>" : grouped(count)) + "</td>";
}

std::string confusion_grid(const ConfusionMatrix& matrix) {
    std::string html =
        "<div class=\"scroll\" tabindex=\"0\"><table class=\"confusion\"><thead><tr><td></td>";
    for (const std::string& name : matrix.class_names) html += element("th", "scope=\"col\"", name);
    html += "</tr></thead><tbody>";
    for (size_t truth = 0; truth < matrix.counts.size(); ++truth) {
        const std::vector<int64_t>& row = matrix.counts[truth];
        int64_t total = 0;
        for (int64_t count : row) total += count;
        html += "<tr>" + element("th", "scope=\"row\"", matrix.class_names[truth]);
        for (size_t guess = 0; guess < row.size(); ++guess) {
            html += confusion_cell(row[guess], total, truth == guess);
        }
        html += "</tr>";
    }
    return html + "</tbody></table></div>";
}

Table confusion_pairs(const ConfusionMatrix& matrix) {
    struct Pair {
        int64_t count;
        size_t truth, guess;
    };
    std::vector<Pair> pairs;
    for (size_t t = 0; t < matrix.counts.size(); ++t) {
        for (size_t g = 0; g < matrix.counts[t].size(); ++g) {
            if (t != g && matrix.counts[t][g] > 0) pairs.push_back({matrix.counts[t][g], t, g});
        }
    }
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const Pair& a, const Pair& b) { return a.count > b.count; });
    if (pairs.size() > kMaxConfusionPairs) pairs.resize(kMaxConfusionPairs);
    Table table{matrix.title + ": most frequent confusions",
                {"True class", "Predicted", "Examples"},
                {},
                1};
    for (const Pair& pair : pairs) {
        table.rows.push_back(
            {matrix.class_names[pair.truth], matrix.class_names[pair.guess], grouped(pair.count)});
    }
    return table;
}

}  // namespace

std::string element(std::string_view tag, std::string_view attributes, std::string_view text) {
    std::string html = "<" + std::string(tag);
    if (!attributes.empty()) html += " " + std::string(attributes);
    return html + ">" + escape_html(text) + "</" + std::string(tag) + ">";
}

std::string ChartSet::add(const Chart& chart) {
    std::string id = "chart-" + std::to_string(items_.size() + 1);
    Json series = Json::array();
    for (const Series& one : chart.series) {
        series.push_back({{"name", one.name},
                          {"x", one.x},
                          {"y", one.y},
                          {"dashed", one.dashed},
                          {"weights", one.weights},
                          {"low", one.low},
                          {"high", one.high},
                          {"points", one.points}});
    }
    const Json item = {{"id", id},
                       {"kind", kKinds[static_cast<size_t>(chart.kind)]},
                       {"x_label", chart.x_label},
                       {"y_label", chart.y_label},
                       {"categories", chart.categories},
                       {"x_percent", chart.x_percent},
                       {"y_percent", chart.y_percent},
                       {"unit_square", chart.unit_square},
                       {"x_log", chart.x_log},
                       {"y_log", chart.y_log},
                       {"x_least", chart.x_least},
                       {"y_least", chart.y_least},
                       {"series", series}};
    items_.push_back(item.dump(-1, ' ', false, Json::error_handler_t::replace));
    return id;
}

std::string ChartSet::script_json() const {
    std::string text = "[";
    for (const std::string& item : items_) text += (text.size() > 1 ? "," : "") + item;
    text += "]";
    std::string safe;
    for (char c : text) {
        if (c == '<') {
            safe += "\\u003c";
        } else {
            safe += c;
        }
    }
    return safe;
}

std::string html_evidence(const Evidence& evidence) {
    const SupportText& support = kSupports[static_cast<size_t>(evidence.support)];
    std::string html = "<article class=\"evidence\" id=\"" + escape_html(evidence.id) + "\">";
    html += "<span class=\"badge " + std::string(support.tone) + "\">" + support.label + "</span>";
    html += element("p", "class=\"claim\"", evidence.claim);
    html += element("p", "class=\"experiment\"", evidence.experiment);
    if (!evidence.figures.empty()) {
        html += "<dl class=\"figures\">";
        for (const Figure& figure : evidence.figures) {
            const std::string interval = figure_interval(figure);
            html += "<div>" + element("dt", "", figure.name);
            html += "<dd><b>" + escape_html(figure_value(figure, figure.value)) + "</b>";
            if (!interval.empty()) html += element("span", "class=\"ci\"", "95 %: " + interval);
            if (!figure.note.empty()) html += element("span", "class=\"ci\"", figure.note);
            html += "</dd></div>";
        }
        html += "</dl>";
    }
    return html + command_block(evidence.rerun) + "</article>\n";
}

std::string html_chart(const Chart& chart, bool wide, ChartSet& charts) {
    const Table data = chart.kind == Chart::Kind::kBar ? bar_data(chart) : point_data(chart);
    std::string html = wide ? "<figure class=\"chart wide\">" : "<figure class=\"chart\">";
    html += element("figcaption", "", chart.title);
    if (charts_available()) {
        const std::string id = charts.add(chart);
        html += "<div class=\"canvas\"><canvas id=\"" + id + "\" role=\"img\" aria-label=\"" +
                escape_html(chart.title + ". " + chart.summary) + "\"></canvas></div>";
    }
    html += element("p", "class=\"summary\"", chart.summary);
    html +=
        std::string("<details") + (charts_available() ? "" : " open") +
        "><summary>The figures behind it</summary><div class=\"scroll\" tabindex=\"0\"><table>" +
        table_body(data) + "</table></div></details>";
    return html + "</figure>\n";
}

std::string html_table(const Table& table) {
    std::string html = table.wide ? "<div class=\"table wide\">" : "<div class=\"table\">";
    if (!table.title.empty()) html += element("h4", "", table.title);
    return html + "<div class=\"scroll\" tabindex=\"0\"><table>" + table_body(table) +
           "</table></div></div>\n";
}

std::string html_gallery(const Gallery& gallery) {
    std::string html = "<div class=\"pictures wide\">";
    if (!gallery.title.empty()) html += element("h4", "", gallery.title);
    if (!gallery.lead.empty()) html += element("p", "class=\"summary\"", gallery.lead);
    html += "<ul>";
    for (const GalleryRow& row : gallery.rows) {
        html += "<li>" + element("h5", "", row.title) + "<div>";
        for (size_t i = 0; i < row.pictures.size(); ++i) {
            const std::string column = i < gallery.columns.size() ? gallery.columns[i] : "";
            html += html_picture(row.pictures[i], row.title + ": " + column, column);
        }
        html += "</div></li>";
    }
    return html + "</ul></div>\n";
}

std::string html_confusion(const ConfusionMatrix& matrix) {
    if (matrix.counts.size() > kMaxConfusionClasses) return html_table(confusion_pairs(matrix));
    return "<div class=\"table\">" + element("h4", "", matrix.title) +
           "<p class=\"summary\">Rows: true class. Columns: predicted class.</p>" +
           confusion_grid(matrix) + "</div>\n";
}

}  // namespace ward::audit
