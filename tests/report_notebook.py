"""A realistic executed notebook for the tests of the rendering layer.

It holds what the real notebooks hold: front matter, parameters, figures, tables, tiles, callouts, tabs
and references, with names that try to be markup.
"""

import io
import json
from typing import Any

HOSTILE = (
    "<script>alert(1)</script>",
    '#panic(`x`) $y$ \\ "quoted"',
    "*Asha* _Verma_ @fig-none [x](http://x.example)",
    "Riya 🌸🔥 张伟 प्रिया ❤️",
    "::: {.callout-note}",
    "{=html}```",
)
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def escaped(text: str) -> str:
    """Text from data, inert in Markdown."""
    return "".join("\\" + char if char in PUNCTUATION else char for char in text)


def html_text(text: str) -> str:
    for char, entity in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&quot;"),
        ("`", "&#96;"),
    ):
        text = text.replace(char, entity)
    return text


def typst_text(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\u{60}")
    return f'"{text}"'


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str, *outputs: dict[str, Any], tags: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": 7,
        "metadata": {
            "tags": list(tags),
            "papermill": {"duration": 0.123, "start_time": "2026-01-02T03:04:05.678"},
        },
        "outputs": list(outputs),
        "source": source,
    }


DETAILS = (
    '<details class="hk-data"><summary>Data</summary>\n'
    '<div class="hk-scroll" tabindex="0" role="region" aria-label="Data"><table class="hk-table">'
    '<thead><tr><th scope="col">Week</th><th scope="col" class="num">Revenue</th></tr></thead>'
    '<tbody><tr><th scope="row">2025-W14</th><td class="num">₹3,21,000</td></tr></tbody>'
    "</table></div>\n</details>"
)


def display(data: dict[str, str], alt: str = "", details: str = "") -> dict[str, Any]:
    metadata = {"hkreport": {"alt": alt, "data": details}} if alt else {}
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def both(html: str, typst: str) -> str:
    return f"```{{=html}}\n{html}\n```\n\n```{{=typst}}\n{typst}\n```\n"


def tiles() -> str:
    values = [
        ("Revenue", "₹1.23 Cr", "12.4 % on 2025-Q1", "up", "good", "target ₹1.50 Cr, 82 % reached"),
        ("Spend", "₹41.2 L", "3.1 % on 2025-Q1", "up", "", "0.4 % unassigned"),
        ("ROAS", "2.98", "0.21 on 2025-Q1", "up", "good", "range 2.61 to 3.40 over the rules"),
        ("Incremental ROAS", "1.42", "", "", "", "95 % interval 0.88 to 1.97"),
        ("Orders", "8,412", "9.0 % on 2025-Q1", "up", "good", ""),
        ("Average order value", "₹1,462", "no change", "flat", "", ""),
        ("Engagement rate, by reach", "4.1 %", "0.6 points on 2025-Q1", "down", "bad", ""),
        ("Cost per order", "₹489", "₹31 on 2025-Q1", "down", "good", ""),
    ]
    html, typst = ['<dl class="hk-tiles">'], ["#hk-tiles("]
    for label, value, delta, trend, verdict, note in values:
        html.append(
            f'<div class="hk-tile"><dt class="hk-label">{label}</dt><dd class="hk-value">{value}</dd>'
        )
        entry = f'(label: "{label}", value: "{value}"'
        if delta:
            html.append(f'<dd class="hk-delta {trend} {verdict}">{delta}</dd>')
            entry += f', delta: "{delta}", trend: "{trend}"' + (
                f', verdict: "{verdict}"' if verdict else ""
            )
        if note:
            html.append(f'<dd class="hk-note">{note}</dd>')
            entry += f', note: "{note}"'
        html.append("</div>")
        typst.append(entry + "),")
    return both("\n".join([*html, "</dl>"]), "\n".join([*typst, ")"]))


def table(rows: int = 12, wide: bool = False) -> str:
    names = [*HOSTILE, "Asha Krishnamurthy-Venkataraman", "fitness.with.rohan_official", "Dev"]
    columns = ["Influencer", "Platform", "Revenue", "Spend", "ROAS", "Orders"]
    if wide:
        columns += ["AOV", "CPA", "ER by reach", "Reach (summed)", "Score"]
    html = [
        '<div class="hk-scroll" tabindex="0" role="region" aria-label="Influencers">',
        '<table class="hk-table"><thead><tr>',
        *(
            f'<th scope="col"{" class=num" if i > 1 else ""}>{c}</th>'
            for i, c in enumerate(columns)
        ),
        "</tr></thead><tbody>",
    ]
    typst = [
        "#hk-table(columns: (",
        *(
            f"(label: {typst_text(c)}{', num: true' if i > 1 else ''}),"
            for i, c in enumerate(columns)
        ),
        "), rows: (",
    ]
    bands = ["good", "ok", "poor"]
    for row in range(rows):
        name = names[row % len(names)]
        band = bands[row % 3]
        figures = [
            f"₹{(rows - row) * 1234:,}",
            f"₹{row * 321:,}",
            f"{5 - row / 3:.2f}",
            f"{row * 17}",
        ]
        if wide:
            figures += ["₹1,462", "₹489", "4.1 %", "1,23,45,678", "71"]
        html.append(f'<tr><th scope="row">{html_text(name)}</th><td>Instagram</td>')
        line = f"({typst_text(name)}, {typst_text('Instagram')}, "
        for i, figure in enumerate(figures):
            html.append(f'<td class="num{f" band-{band}" if i == 2 else ""}">{figure}</td>')
            line += f'(text: "{figure}", band: "{band}"), ' if i == 2 else f'"{figure}", '
        html.append("</tr>")
        typst.append(line + "),")
    total = ["Total", "", "₹96,252", "₹21,186", "4.54", "1,122"] + ["–"] * (5 if wide else 0)
    html.append('<tr class="hk-total"><th scope="row">Total</th>')
    html += [f'<td class="num">{cell}</td>' for cell in total[1:]]
    html.append("</tr></tbody></table></div>")
    html.append(
        '<p class="hk-note">ROAS: attributed is not caused. Reach is summed, not de-duplicated.</p>'
    )
    typst.append('(kind: "total", cells: (' + ", ".join(typst_text(cell) for cell in total) + ")),")
    typst.append('), note: "ROAS: attributed is not caused. Reach is summed, not de-duplicated.")')
    return both("\n".join(html), "\n".join(typst))


def drawing(title: str = "Revenue rose", *labels: str) -> str:
    """A small SVG by hand, in the shape that matplotlib gives it."""
    texts = "".join(
        f'<text x="20" y="{40 + 20 * i}" style="font: 10px \'Source Sans Pro\'">{html_text(label)}</text>'
        for i, label in enumerate((title, *labels))
    )
    return (
        '<?xml version="1.0"?>\n<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="453pt" '
        'height="200pt" viewBox="0 0 453 200" xmlns="http://www.w3.org/2000/svg" version="1.1">\n'
        '<metadata>made today</metadata><defs><style type="text/css">*{stroke-linejoin: round}</style>'
        '<clipPath id="clip1"><rect width="400" height="180"/></clipPath>'
        '<path id="m1" d="M 0 0 L 3 3"/></defs><g id="figure_1" clip-path="url(#clip1)">'
        '<rect width="300" height="60" style="fill: #1f6f8b"/><use xlink:href="#m1" x="9" y="9"/>'
        f"{texts}</g></svg>"
    )


def matplotlib_drawings() -> list[str]:
    """Twelve charts as the charts module draws them: SVG text, the report's font, no dates."""
    import font_source_sans_pro
    import matplotlib as mpl
    import numpy as np
    from matplotlib import font_manager
    from matplotlib.figure import Figure

    for path in font_source_sans_pro.font_files_ttf.values():
        font_manager.fontManager.addfont(path)
    style = {
        "font.family": "Source Sans Pro", "font.size": 10, "svg.fonttype": "none",
        "svg.hashsalt": "hkreport", "axes.spines.top": False, "axes.spines.right": False,
        "axes.titlelocation": "left", "axes.titleweight": "semibold", "axes.edgecolor": "#9aa5b1",
        "axes.labelcolor": "#5a6673", "xtick.color": "#5a6673", "ytick.color": "#5a6673",
    }  # fmt: skip
    drawn = []
    with mpl.rc_context(style):
        for number in range(12):
            rng = np.random.default_rng(number)
            figure = Figure(figsize=(6.3, 3.2 if number % 3 else 2.6), layout="constrained")
            axes = figure.subplots()
            if number % 3 == 0:
                axes.plot(np.arange(26), 40 + rng.normal(size=26).cumsum(), color="#0f6b82", lw=2)
                axes.set_title("Revenue rose in June, after the code RIYA10 (₹1.23 Cr)")
                axes.set_xlabel("Week of the order date")
                axes.set_ylabel("Revenue, ₹ lakh")
            elif number % 3 == 1:
                names = [
                    "Asha Krishnamurthy-V.",
                    HOSTILE[0],
                    HOSTILE[3],
                    "Dev & Sons",
                    "rohan_official",
                ]
                values = np.sort(rng.random(5) * 30)
                axes.barh(names, values, color="#d98c3f", height=0.62)
                axes.set_title("Five influencers bring 61 % of the revenue")
                for place, value in enumerate(values):
                    axes.text(value, place, f" ₹{value:.1f} L", va="center")
                axes.set_xlabel("Revenue, ₹ lakh")
            else:
                axes.scatter(rng.lognormal(10, 1, 60), rng.lognormal(2, 0.8, 60),
                             s=rng.random(60) * 160, alpha=0.55, color="#6a51a3")  # fmt: skip
                axes.set_xscale("log")
                axes.set_title("Followers say little about revenue")
                axes.set_xlabel("Followers")
                axes.set_ylabel("Revenue, ₹ lakh")
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
            drawn.append(buffer.getvalue())
    return drawn


def notebook(drawings: list[str] | None = None, *, seconds: float = 1.5) -> dict[str, Any]:
    """The whole report; `seconds` is run noise that must not reach a page."""
    drawings = drawings or [drawing("Revenue rose", *HOSTILE[:3]), drawing("Share"), drawing("ROI")]
    figures = iter(enumerate(drawings))

    def chart(label: str, caption: str) -> dict[str, Any]:
        number, svg = next(figures)
        return code(
            f"#| label: {label}\n#| fig-cap: {json.dumps(caption)}\ncharts.show({number})",
            display(
                {"image/svg+xml": svg, "text/plain": "<Chart>", "text/html": "<b>x</b>"},
                alt=f'Chart {number}: revenue from ₹1.0 L to ₹9.9 L; "highest" in week 23, {HOSTILE[0]}',
                details=DETAILS,
            ),
        )

    cells = [
        {
            "cell_type": "raw",
            "metadata": {},
            "source": "---\ntitle: Influencer report\nlang: en-IN\n---",
        },
        code('brand: str = "HKVitals"', tags=("parameters",)),
        code('brand = "HKVitals"', tags=("injected-parameters",)),
        code(
            "from hkreport import charts",
            {"output_type": "stream", "name": "stderr", "text": [f"loaded in {seconds} s\n"]},
        ),
        markdown(
            "## Headline\n\nDid the quarter pay? Revenue is everything tracked; spend is what was paid, "
            "allocated by the rule in [Methods](#methods). See @fig-trend and @tbl-influencers."
        ),
        code("tiles", display({"text/markdown": tiles(), "text/html": "<div>tiles</div>"})),
        code(
            "insights.headline()",
            display(
                {
                    "text/markdown": "Revenue grew by 12.4\\ %; "
                    f"**{escaped(HOSTILE[2])}** and {escaped(HOSTILE[3])} led.\n\n"
                    '::: {.callout-warning title="Spend and revenue fall into different periods"}\n'
                    "The range over the other rules is 2.61 to 3.40 (@fig-trend, [-@fig-share]); "
                    f"{escaped(HOSTILE[4])}\n:::\n"
                }
            ),
        ),
        chart("fig-trend", "Revenue by week, with the forecast: dashed, and its 80 % interval."),
        markdown(
            "## Campaign overview\n\n### Where the revenue came from\n\n::: {.panel-tabset}\n\n### By platform"
        ),
        chart("fig-share", "Share of revenue by influencer."),
        markdown(
            "### By category\n\nThe same revenue, cut by category. `spend` is in rupees.\n\n- Fitness leads\n- Beauty grew\n\n:::"
        ),
        markdown(
            "::: {.callout-note}\n## How to read this\n\nBars are revenue in the period; the line is the target.\n:::\n\n"
            '::: {.callout-tip collapse="true" title="Why not the mean of ratios?"}\nBecause small influencers would dominate.\n:::\n\n'
            "| Rule | Applies to |\n|:--|--:|\n| Order basis | 41 % |\n| Post basis | 59 % |\n"
        ),
        markdown(
            "## Influencers\n\nWho earned what they cost? @tbl-influencers lists everyone; @fig-roi shows the spread."
        ),
        code(
            '#| label: tbl-influencers\n#| tbl-cap: "Influencers by revenue, with **ROAS** bands."\ntables.influencers()',
            display({"text/markdown": table(34), "text/html": "<table></table>"}),
        ),
        code(
            "#| label: tbl-wide\n#| tbl-cap: All columns.\ntables.wide()",
            display({"text/markdown": table(9, wide=True)}),
        ),
        chart("fig-roi", "Revenue against payout, with the break-even line."),
    ]
    for number, _ in enumerate(drawings[3:]):
        if number % 3 == 0:
            cells.append(
                markdown(
                    f"### Detail {number // 3 + 1}\n\nOne question, then the figure that answers it."
                )
            )
        cells.append(chart(f"fig-more-{number}", f"Detail number {number}, in rupees."))
    cells += [
        markdown(
            "## Incrementality\n\n::: {.callout-important}\nAttributed, not incremental.\n:::"
        ),
        code(
            "#| label: fig-empty\n#| fig-cap: Effect of the campaign.\ncharts.effect()",
            display(
                {
                    "text/markdown": "No arms are declared as randomised, so no effect can be estimated\\."
                }
            ),
        ),
        markdown(
            "## Methods {#methods}\n\nEvery number: sum of revenue ÷ sum of spend. CSV: [influencers](data/influencers.csv).\n\n"
            "`<b>raw</b>` and <b>raw tags</b> stay text.\n\n::: {.callout-caution}\nUnits: ₹.\n:::"
        ),
    ]
    return {
        "cells": cells,
        "metadata": {"papermill": {"duration": seconds, "environment_variables": {"HOME": "/root"}},
                     "kernelspec": {"name": "other"}},
        "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
