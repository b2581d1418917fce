#include "ward/audit/render_html.h"

#include <algorithm>
#include <array>

#include "ward/audit/internal/assets.h"
#include "ward/audit/internal/html.h"
#include "ward/core/digest.h"

namespace ward::audit {
namespace {

constexpr std::array<const char*, 4> kTones = {"neutral", "good", "caution", "bad"};

// ---- escaping

// Length of the valid UTF-8 sequence at `text[i]`, or 0 (Unicode 15, table 3-7).
size_t utf8_length(std::string_view text, size_t i) {
    const auto byte = [&](size_t k) {
        return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u;
    };
    const auto tail = [&](size_t k) { return byte(k) >= 0x80 && byte(k) <= 0xbf; };
    const unsigned lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        const bool second =
            tail(1) && !(lead == 0xe0 && byte(1) < 0xa0) && !(lead == 0xed && byte(1) > 0x9f);
        return second && tail(2) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        const bool second =
            tail(1) && !(lead == 0xf0 && byte(1) < 0x90) && !(lead == 0xf4 && byte(1) > 0x8f);
        return second && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

std::string base64(const Bytes& bytes) {
    static constexpr char kAlphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const size_t left = std::min<size_t>(3, bytes.size() - i);
        uint32_t group = 0;
        for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < left ? bytes[i + k] : 0u);
        for (size_t k = 0; k < 4; ++k) {
            text += k <= left ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
        }
    }
    return text;
}

// The name by which a content security policy allows exactly this script.
std::string script_hash(std::string_view script) {
    const std::string hex = sha256_hex(script);
    Bytes digest;
    for (size_t i = 0; i < hex.size(); i += 2) {
        digest.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return "'sha256-" + base64(digest) + "'";
}

// ---- page

bool has_pictures(const Report& report) {
    for (const Subject& subject : report.subjects) {
        for (const Section& section : subject.sections)
            if (!section.galleries.empty()) return true;
    }
    return false;
}

std::string head(const Report& report) {
    std::string scripts;
    if (charts_available()) {
        scripts = script_hash(embedded_chart_js()) + " " + script_hash(embedded_report_js());
    } else {
        scripts = "'none'";
    }
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<meta name=\"color-scheme\" content=\"light dark\">\n"
           "<meta name=\"generator\" content=\"" +
           escape_html(report.software) +
           "\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
           "style-src 'unsafe-inline'; script-src " +
           scripts + (has_pictures(report) ? "; img-src data:" : "") +
           "; base-uri 'none'; form-action 'none'\">\n" + element("title", "", report.title) +
           "\n<style>\n" + std::string(embedded_report_css()) + "</style>\n</head>\n";
}

std::string highlights_html(const std::vector<Highlight>& highlights) {
    constexpr size_t kMany = 5;  // so many share a row as six do
    std::string html =
        highlights.size() < kMany ? "<dl class=\"highlights\">" : "<dl class=\"highlights many\">";
    for (const Highlight& highlight : highlights) {
        html += "<div class=\"highlight " +
                std::string(kTones[static_cast<size_t>(highlight.tone)]) + "\">" +
                element("dt", "", highlight.label) + "<dd>" + element("b", "", highlight.value) +
                element("span", "", highlight.detail) + "</dd></div>";
    }
    return html + "</dl>";
}

// A report about one thing says what it is about in its title.
std::string overview_card(const Subject& subject, bool alone) {
    return "<article class=\"card\">" +
           element("h2", "", alone ? std::string("At a glance") : subject.title) +
           highlights_html(subject.highlights) +
           element("p", "class=\"verdict\"", subject.verdict) + "<p class=\"more\"><a href=\"#" +
           escape_html(subject.id) + "\">Evidence and details</a></p></article>\n";
}

std::string section_html(const Subject& subject, const Section& section, ChartSet& charts) {
    std::string html = "<section id=\"" + escape_html(subject.id + "-" + section.id) + "\">" +
                       element("h3", "", section.title);
    if (!section.lead.empty()) html += element("p", "class=\"lead\"", section.lead);
    html += "<div class=\"claims\">";
    for (const Evidence& evidence : section.evidence) html += html_evidence(evidence);
    html += "</div>";
    if (!section.notes.empty()) {
        html += "<div class=\"notes\">" + element("h4", "", section.notes_title) + "<ul>";
        for (const std::string& note : section.notes) html += element("li", "", note);
        html += "</ul></div>";
    }
    html += "<div class=\"blocks\">";
    // Beside a single chart the tables share one column.
    const bool narrow_tables = std::any_of(section.tables.begin(), section.tables.end(),
                                           [](const Table& table) { return !table.wide; });
    const bool lone_chart = section.charts.size() == 1 && section.confusions.empty();
    const bool stack = lone_chart && narrow_tables;
    for (const Chart& chart : section.charts)
        html += html_chart(chart, lone_chart && !narrow_tables, charts);
    for (const ConfusionMatrix& matrix : section.confusions) html += html_confusion(matrix);
    if (stack) html += "<div class=\"stack\">";
    for (const Table& table : section.tables)
        if (!table.wide) html += html_table(table);
    if (stack) html += "</div>";
    for (const Table& table : section.tables)
        if (table.wide) html += html_table(table);
    for (const Gallery& gallery : section.galleries) html += html_gallery(gallery);
    return html + "</div></section>\n";
}

std::string subject_html(const Subject& subject, bool alone, ChartSet& charts) {
    std::string html = "<section class=\"subject\" id=\"" + escape_html(subject.id) + "\">" +
                       element("h2", "", alone ? std::string("Evidence") : subject.title) +
                       "<nav class=\"jump\" aria-label=\"Sections\">";
    for (const Section& section : subject.sections) {
        html += "<a href=\"#" + escape_html(subject.id + "-" + section.id) + "\">" +
                escape_html(section.title) + "</a>";
    }
    html += "</nav>";
    for (const Section& section : subject.sections) html += section_html(subject, section, charts);
    return html + "</section>\n";
}

std::string glossary_html(const std::vector<std::string>& glossary) {
    if (glossary.empty()) return "";
    std::string html = "<section id=\"glossary\"><h2>Words</h2><dl class=\"glossary\">";
    for (const std::string& entry : glossary) {
        const size_t colon = entry.find(": ");
        const bool has_term = colon != std::string::npos;
        html += element("dt", "", has_term ? entry.substr(0, colon) : entry);
        html += element("dd", "", has_term ? entry.substr(colon + 2) : "");
    }
    return html + "</dl></section>\n";
}

std::string commands_html(const std::vector<std::string>& commands) {
    if (commands.empty()) return "";
    std::string html =
        "<section id=\"rerun\"><h2>Run it again</h2><p>These commands made what this "
        "report shows. Noise and sampling of private runs are drawn afresh from the system's "
        "random generator each time, so figures differ a little; the guarantee does "
        "not.</p><pre><code>";
    for (const std::string& command : commands) html += escape_html(command) + "\n";
    return html + "</code></pre></section>\n";
}

std::string scripts_html(const ChartSet& charts) {
    if (!charts_available()) return "";
    return "<script type=\"application/json\" id=\"chart-data\">" + charts.script_json() +
           "</script>\n<script>" + std::string(embedded_chart_js()) + "</script>\n<script>" +
           std::string(embedded_report_js()) + "</script>\n";
}

}  // namespace

bool charts_available() { return !embedded_chart_js().empty(); }

std::string escape_html(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size();) {
        const size_t length = utf8_length(text, i);
        const char c = text[i];
        if (length == 0) {
            out += "\ufffd";
        } else if (length > 1) {
            out += text.substr(i, length);
        } else if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&quot;";
        } else if (c == '\'') {
            out += "&#39;";
        } else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
            out += "\ufffd";
        } else {
            out += c;
        }
        i += std::max<size_t>(length, 1);
    }
    return out;
}

std::string render_html(const Report& report) {
    ChartSet charts;
    std::string subjects;
    const bool alone = report.subjects.size() == 1 &&
                       report.title.find(report.subjects[0].title) != std::string::npos;
    for (const Subject& subject : report.subjects) subjects += subject_html(subject, alone, charts);
    std::string html = head(report) + "<body>\n<header class=\"top\">";
    html += element("h1", "", report.title);
    html += element("p", "class=\"summary\"", report.summary);
    std::string made = report.software.empty() ? "" : "Made by " + report.software;
    if (!report.created_utc.empty()) made += (made.empty() ? "" : ", ") + report.created_utc;
    html += element("p", "class=\"made\"", made) + "</header>\n<main>\n";
    if (!charts_available()) {
        html +=
            "<p class=\"notes\">This copy of Ward was built without Chart.js (package "
            "libjs-chart.js): the figures are shown as tables only.</p>\n";
    }
    html += "<div class=\"overview\">";
    for (const Subject& subject : report.subjects) html += overview_card(subject, alone);
    html += "</div>\n" + subjects + commands_html(report.commands) + glossary_html(report.glossary);
    return html + "</main>\n" + scripts_html(charts) + "</body>\n</html>\n";
}

}  // namespace ward::audit
