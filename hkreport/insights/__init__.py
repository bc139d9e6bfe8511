"""What the numbers say: sentences for people, and records with their evidence."""

from hkreport.insights.prose import (
    Prose,
    allocation_note,
    change,
    check_words,
    further,
    glossary,
    headline,
    leader,
    missing,
    old_assumptions,
    poor,
    poor_words,
    problems,
    share_of_top,
    slice_note,
    sources,
)

__all__ = [
    "Prose",
    "allocation_note",
    "change",
    "check_words",
    "further",
    "glossary",
    "headline",
    "leader",
    "missing",
    "old_assumptions",
    "poor",
    "poor_words",
    "problems",
    "share_of_top",
    "slice_note",
    "sources",
]
