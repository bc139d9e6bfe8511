"""How numbers are written, and that text stays text."""

import math

import pytest

from hkreport.units import Unit, escape_html, escape_markdown, signed, text


@pytest.mark.parametrize(
    ("value", "unit", "short", "said"),
    [
        (0, Unit.MONEY, False, "₹0"),
        (99.5, Unit.MONEY, False, "₹99.50"),
        (99.999, Unit.MONEY, False, "₹100.00"),
        (123456789, Unit.MONEY, False, "₹12,34,56,789"),
        (99_999, Unit.MONEY, True, "₹99,999"),
        (100_000, Unit.MONEY, True, "₹1.00 L"),
        (9_999_900, Unit.MONEY, True, "₹1.00 Cr"),
        (1e7, Unit.MONEY, True, "₹1.00 Cr"),
        (-250000, Unit.MONEY, True, "−₹2.50 L"),
        (9999.99e7, Unit.MONEY, True, "₹9,999.99 Cr"),
        (9999.996e7, Unit.MONEY, True, "₹10,000 Cr"),
        (99_999.4e7, Unit.MONEY, True, "₹99,999 Cr"),
        (99_999.6e7, Unit.MONEY, True, "₹1.00 L Cr"),
        (-3.158058e13, Unit.MONEY, True, "−₹31.58 L Cr"),
        (3.158058e13, Unit.COUNT, True, "31.58 L Cr"),
        (0.0, Unit.MULTIPLE, False, "0.0×"),
        (0.0129, Unit.MULTIPLE, False, "0.013×"),
        (0.0000472, Unit.MULTIPLE, False, "0.00005×"),
        (5e-7, Unit.MULTIPLE, False, "0.0000005×"),
        (4e-7, Unit.MULTIPLE, False, "0.0×"),
        (-1e-25, Unit.MULTIPLE, False, "0.0×"),
        (0.41, Unit.MULTIPLE, False, "0.41×"),
        (0.999, Unit.MULTIPLE, False, "1.00×"),
        (0.97, Unit.MULTIPLE, False, "0.97×"),
        (1.994, Unit.MULTIPLE, False, "1.99×"),
        (1.996, Unit.MULTIPLE, False, "2.0×"),
        (1234.5, Unit.MULTIPLE, False, "1,234×"),
        (0.00123, Unit.PERCENT, False, "0.12%"),
        (1.5, Unit.PERCENT, False, "150%"),
        (-0.00001, Unit.PERCENT, False, "0.00%"),
        (939.0, Unit.COUNT, False, "939"),
        (1.25, Unit.COUNT, False, "1.2"),
        (math.nan, Unit.COUNT, False, "n/a"),
        (math.inf, Unit.MULTIPLE, False, "∞"),
    ],
)
def test_value_is_written_as_a_reader_expects(value, unit, short, said):
    assert text(value, unit, short=short) == said


def test_difference_always_has_its_sign():
    assert [signed(value, Unit.COUNT) for value in (3, -3, 0)] == ["+3", "−3", "0"]


def test_no_line_breaks_between_the_sign_of_an_amount_and_its_rupees():
    amount = text(-1142.0, Unit.MONEY)
    for escaped in (escape_html(amount), escape_markdown(amount).replace("\\", "")):
        assert escaped == "−\u2060₹1,142"
    assert escape_html("+₹213") == "+\u2060₹213"
    assert amount == "−₹1,142"  # in CSV, charts and kpis.json as before
