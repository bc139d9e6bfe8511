"""What several sections of a report need is worked out once."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from hkreport.views import Report

__all__ = ["once"]

Result = TypeVar("Result")


def once(function: Callable[["Report"], Result]) -> Callable[["Report"], Result]:
    """Keep what a function of a report returned with that report, as its cached properties are."""

    @functools.wraps(function)
    def kept(report: "Report") -> Result:
        name = f"{function.__module__}.{function.__qualname__}"
        if name not in report.__dict__:
            report.__dict__[name] = function(report)
        result: Result = report.__dict__[name]
        return result

    return kept
