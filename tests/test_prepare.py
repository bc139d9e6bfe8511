"""An executed notebook becomes a clean copy, or an error that names the cell."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hkreport.errors import RenderError
from hkreport.pipeline import fonts, prepare
from hkreport.units import quote_typst

sample = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("report_notebook.py"))))
code, display = sample.code, sample.display


def prepared(*cells: dict[str, Any]) -> list[dict[str, Any]]:
    return list(prepare.prepare({"cells": list(cells)}, name="report.ipynb")["cells"])


def message_of(*cells: dict[str, Any]) -> str:
    with pytest.raises(RenderError) as caught:
        prepared(*cells)
    return str(caught.value)


def chart(svg: str, alt: str = "Revenue by week", label: str = "fig-a") -> dict[str, Any]:
    return code(
        f"#| label: {label}\n#| fig-cap: Sales\nplot()", display({"image/svg+xml": svg}, alt=alt)
    )


def markdown_of(cell: dict[str, Any]) -> str:
    return str(cell["outputs"][0]["data"]["text/markdown"])


def test_two_runs_of_one_notebook_give_the_same_bytes() -> None:
    first = prepare.prepare(sample.notebook(seconds=1.0), name="report.ipynb")
    second = prepare.prepare(sample.notebook(seconds=2.0), name="report.ipynb")
    assert prepare.dump(first) == prepare.dump(second)


def test_run_noise_is_gone() -> None:
    text = prepare.dump(prepare.prepare(sample.notebook(), name="report.ipynb"))
    noise = ("papermill", "duration", "loaded in", "/root", "made today", "text/html", "text/plain")
    assert [word for word in noise if word in text] == []
    assert not any(cell.get("execution_count") for cell in json.loads(text)["cells"])


def test_preparing_twice_changes_nothing() -> None:
    once = prepare.prepare(sample.notebook(), name="report.ipynb")
    assert prepare.prepare(once, name="report.ipynb") == once


def test_parameter_cells_show_nothing() -> None:
    cell = code("brand = 'x'", display({"text/markdown": "x"}), tags=("injected-parameters",))
    assert prepared(cell)[0]["outputs"] == []


def test_a_file_is_cleaned_into_another_and_no_part_is_left(tmp_path: Path) -> None:
    source, target = tmp_path / "executed.ipynb", tmp_path / "clean" / "report.ipynb"
    source.write_text(json.dumps(sample.notebook()), encoding="utf-8")
    assert prepare.prepare_file(source, target) == target
    assert [path.name for path in target.parent.iterdir()] == ["report.ipynb"]


def test_a_file_that_is_no_notebook_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "executed.ipynb"
    source.write_text("{", encoding="utf-8")
    with pytest.raises(RenderError, match=r"executed\.ipynb cannot be read as a notebook: "):
        prepare.prepare_file(source, tmp_path / "report.ipynb")


# Drawings


def test_a_drawing_is_inline_in_html_and_an_image_in_typst() -> None:
    text = markdown_of(prepared(chart(sample.drawing()))[0])
    html, typst = text.split("```{=typst}")
    assert '<svg xmlns="http://www.w3.org/2000/svg" class="hk-chart" role="img"' in html
    assert 'aria-label="Revenue by week"' in html
    assert typst.startswith('\n#hk-chart("<svg ')
    assert typst.endswith('</svg>", "Revenue by week")\n```\n')


def test_the_data_of_a_drawing_is_folded_below_it_on_the_page_alone() -> None:
    output = display({"image/svg+xml": sample.drawing()}, alt="Sales", details=sample.DETAILS)
    cell = prepared(code("#| label: fig-a\n#| fig-cap: Sales\nplot()", output))[0]
    html, typst = markdown_of(cell).split("```{=typst}")
    assert html.endswith(f"</svg>\n{sample.DETAILS}\n```\n\n")
    assert "hk-data" not in typst


def with_words(svg: str, **words: str) -> str:
    told = {"alt": "Sales", "title": "", "subtitle": "", "note": ""} | words
    output = display({"image/svg+xml": svg})
    output["metadata"] = {"hkreport": told}
    return markdown_of(prepared(code("#| label: fig-a\n#| fig-cap: Sales\nplot()", output))[0])


DRAWN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 80" data-drawn="10 20 70 50"><g id="words-64">'
    "<text>Sales rose</text></g><path d='M 0 0'/></svg>"
)


def test_a_page_writes_the_words_of_a_chart_and_a_pdf_has_them_drawn() -> None:
    words = {"title": "Sales rose", "subtitle": "Weeks `x`\n\nof <b>", "note": "n = 3"}
    html, typst = with_words(DRAWN, **words).split("```{=typst}")
    assert html.count("Sales rose") == 2  # the title, and the name of what may scroll
    assert '<p class="hk-chart-subtitle">Weeks &#96;x&#96; of &lt;b&gt;</p>' in html
    assert html.index("hk-chart-title") < html.index("<svg") < html.index("hk-chart-note")
    assert 'viewBox="10 20 70 50"' in html
    assert "--left: 10; --width: 70" in html
    assert "Sales rose" in typst
    assert 'viewBox=\\"0 0 100 80\\"' in typst
    assert "data-drawn" not in html + typst


@pytest.mark.parametrize(
    "drawn", ["", "1 2 3", "0 0 9 9; color: red", "0 0 9 9&quot; onload=&quot;x"]
)
def test_a_drawing_that_does_not_say_what_is_drawn_stays_whole(drawn: str) -> None:
    text = with_words(DRAWN.replace("10 20 70 50", drawn), title="Sales rose")
    assert "hk-wide" not in text
    assert text.count("<text>Sales rose</text>") == 2
    assert 'viewBox="0 0 100 80"' in text.split("```{=typst}")[0]


def test_alternative_text_is_written_as_an_option_in_place_of_a_static_one() -> None:
    cell = code(
        "#| label: fig-a\n#| fig-alt: old\n#| fig-cap: Sales\nplot()",
        display({"image/png": "aGVsbG8="}, alt='The "best" week\nwas 23: ₹1 L'),
    )
    assert prepared(cell)[0]["source"].splitlines() == [
        "#| label: fig-a",
        "#| fig-cap: Sales",
        '#| fig-alt: "The \\"best\\" week was 23: ₹1 L"',
        "plot()",
    ]


def test_ids_of_two_drawings_in_one_page_differ() -> None:
    cells = prepared(chart(sample.drawing()), chart(sample.drawing(), label="fig-b"))
    first, second = (markdown_of(cell).partition("```{=typst}")[0] for cell in cells)
    assert 'id="fig-a-clip1"' in first
    assert 'clip-path="url(#fig-a-clip1)"' in first
    assert 'href="#fig-a-m1"' in first
    assert "fig-a" not in second


def test_the_style_sheet_of_a_drawing_does_not_reach_the_page() -> None:
    html = markdown_of(prepared(chart(sample.drawing()))[0]).partition("```{=typst}")[0]
    assert "<style" not in html
    assert "<?xml" not in html


@pytest.mark.parametrize(
    ("inside", "named"),
    [
        pytest.param("<script>alert(1)</script>", "script", id="script"),
        pytest.param('<rect onload="x()"/>', "rect onload", id="handler"),
        pytest.param('<image href="https://x.example/a.png"/>', "image href", id="outside_image"),
        pytest.param("<foreignObject/>", "foreignObject", id="html_inside"),
        pytest.param(
            '<rect style="fill: url(https://x.example/a)"/>', "rect style", id="outside_fill"
        ),
        pytest.param("<style>@import 'x.css'</style>", "style", id="import"),
        pytest.param('<animate attributeName="x"/>', "animate", id="animation"),
    ],
)
def test_a_drawing_that_acts_or_reaches_out_is_refused(inside: str, named: str) -> None:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">{inside}</svg>'
    assert message_of(chart(svg)) == (
        f"The drawing fig-a holds '{named}', which a report must not contain. "
        "Draw it with hkreport.charts."
    )


def test_a_broken_drawing_is_an_error() -> None:
    assert message_of(chart("<svg>")).startswith("The drawing fig-a is not valid SVG: ")


def test_text_in_a_drawing_keeps_its_emoji_in_html_and_gets_a_box_in_typst() -> None:
    text = markdown_of(prepared(chart(sample.drawing("Riya 🌸 `x`")))[0])
    html, typst = text.split("```{=typst}")
    assert "Riya 🌸 &#96;x&#96;" in html
    assert "Riya ☐ " in typst
    assert "`" not in typst.removesuffix("```\n")


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        pytest.param("Asha ₹1,234 × 2 → 3", "Asha ₹1,234 × 2 → 3", id="all_drawn"),
        pytest.param("👩🏽‍🚀!", "☐!", id="one_box_for_joined_emoji"),
        pytest.param("TM™\ufe0f", "TM™", id="selector_of_a_drawn_sign"),
        pytest.param("张伟", "☐☐", id="one_box_for_each_sign"),
        pytest.param("a\u202eb\u200bc", "abc", id="invisible_marks"),
    ],
)
def test_drawable(text: str, drawn: str) -> None:
    assert prepare.drawable(text) == drawn
    assert set(drawn) <= fonts.characters()


def test_quarto_finds_no_shortcode_in_a_raw_typst_block() -> None:
    text = '```{=typst}\n#hk-note("{{< env HOME >}}")\n```\n'
    assert "{{<" not in markdown_of(prepared(code("x", display({"text/markdown": text})))[0])
    assert "{{<" not in quote_typst("{{< env HOME >}}")


# What stops a build


def test_a_failed_cell_is_named_with_its_cause() -> None:
    error = {
        "output_type": "error",
        "ename": "KeyError",
        "evalue": "'roas'\n more",
        "traceback": [],
    }
    assert message_of(code("a"), code("#| label: fig-a\n#| fig-cap: A\nb", error)) == (
        "report.ipynb, cell 2 (fig-a) failed: KeyError: 'roas'. "
        "Mend the cause and run the report again."
    )


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        pytest.param([], "nothing", id="no_output"),
        pytest.param(
            [{"output_type": "stream", "name": "stdout", "text": "x"}], "nothing", id="only_printed"
        ),
        pytest.param([display({"text/markdown": "a"})] * 2, "2 outputs", id="two_outputs"),
    ],
)
def test_a_labelled_cell_must_show_one_thing(outputs: list[dict[str, Any]], found: str) -> None:
    told = message_of(code("#| label: tbl-a\n#| tbl-cap: A\nb", *outputs))
    assert told.startswith(
        f"report.ipynb, cell 1 (tbl-a) shows {found}; a labelled cell must show exactly one"
    )


def test_a_chart_without_alternative_text_is_an_error() -> None:
    assert message_of(chart(sample.drawing(), alt="")) == (
        "report.ipynb, cell 1 (fig-a) shows a chart without alternative text, which a screen reader "
        "needs. Draw it with hkreport.charts, or add '#| fig-alt: ...' to the cell."
    )


def test_an_output_that_no_report_can_show_is_an_error() -> None:
    cell = code("frame", display({"text/html": "<table>", "text/plain": "   a"}))
    assert message_of(cell) == (
        "report.ipynb, cell 1 shows text/html, text/plain; a report can show only image/svg+xml, "
        "text/markdown, image/png. End the cell with a chart or table of hkreport, or assign the value."
    )


def test_widgets_are_dropped() -> None:
    widget = display({"application/vnd.jupyter.widget-view+json": "{}", "text/plain": "0%"})
    assert prepared(code("progress", widget))[0]["outputs"] == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        pytest.param(
            "#| lable: fig-a",
            "report.ipynb, cell 1: unknown option '#| lable'. Allowed: fig-alt, fig-cap, label, "
            "tbl-cap. Did you mean 'label'? Correct the line in the notebook.",
            id="misspelt_option",
        ),
        pytest.param(
            "#| label: trend",
            "report.ipynb, cell 1: label 'trend' must begin with 'fig-' or 'tbl-' and go on in "
            "letters, digits and hyphens. Rename it, for example 'fig-trend'.",
            id="label_without_kind",
        ),
        pytest.param(
            "#| label: tbl-a\n#| fig-cap: A",
            "report.ipynb, cell 1: 'tbl-a' has no caption. Add a line '#| tbl-cap: ...'.",
            id="no_caption",
        ),
        pytest.param(
            "#| label",
            "report.ipynb, cell 1: the #| lines hold 'label'; they must be 'option: value'. "
            "Write for example '#| label: fig-trend'.",
            id="no_value",
        ),
    ],
)
def test_a_wrong_option_is_named(source: str, told: str) -> None:
    assert message_of(code(source, display({"text/markdown": "x"}))) == told


def test_a_caption_with_an_unquoted_colon_is_explained() -> None:
    told = message_of(code("#| label: fig-a\n#| fig-cap: Sales: up"))
    assert told.startswith("report.ipynb, cell 1: the #| lines are not valid YAML: ")
    assert told.endswith("Put a caption that holds a colon into quotes.")


def test_a_label_used_twice_is_an_error() -> None:
    assert message_of(chart(sample.drawing()), chart(sample.drawing())) == (
        "report.ipynb, cell 2: label 'fig-a' is already used in cell 1; labels must be unique. "
        "Rename one of the two."
    )


# Front matter


def test_front_matter_is_replaced_and_not_doubled() -> None:
    notebook = prepare.prepare(sample.notebook(), name="report.ipynb")
    changed = prepare.with_front_matter(notebook, {"title": 'A "b": #c'})
    assert prepare.front_matter(changed) == {"title": 'A "b": #c'}
    assert len(changed["cells"]) == len(notebook["cells"])


def test_front_matter_is_added_where_there_is_none() -> None:
    changed = prepare.with_front_matter({"cells": [sample.markdown("# A")]}, {"title": "B"})
    assert [cell["cell_type"] for cell in changed["cells"]] == ["raw", "markdown"]


def test_broken_front_matter_is_an_error() -> None:
    cell = {"cell_type": "raw", "source": "---\na: [\n---"}
    with pytest.raises(RenderError, match="front matter of the notebook is not valid YAML"):
        prepare.front_matter({"cells": [cell]})
