"""Settings as people write them in YAML: what could be read in two ways is refused, with its line.

YAML 1.1 takes the last of two values for one key in silence, ``030`` for 24 and ``2:30`` for 150. What the
keys mean belongs to the modules that read them.
"""

import copy
import datetime
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from hkreport.errors import ParamsError

__all__ = ["parsed", "read"]

OCTAL = re.compile(r"[-+]?0[0-7_]+")


class _Unclear(yaml.MarkedYAMLError):
    """Valid YAML that does not say what its writer means."""


class _Plain(yaml.SafeLoader):
    """YAML without double keys, octal numbers and numbers to the base of 60."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        # Here, and not where the map is made: a merge (<<) brings keys that its own may overrule.
        first: dict[Any, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            value = self.construct_object(key)
            line = key.start_mark.line + 1
            if value in first:
                told = f"the key '{key.value}' is given twice, first in line {first[value]}"
                raise _Unclear(problem=told, problem_mark=key.start_mark)
            first[value] = line
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        self._require_plain(node)
        made: int = super().construct_yaml_int(node)
        return made

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        self._require_plain(node)
        made: float = super().construct_yaml_float(node)
        return made

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> datetime.date:
        try:
            made: datetime.date = super().construct_yaml_timestamp(node)
        except ValueError as error:
            told = f"there is no day {node.value} ({error})"
            raise _Unclear(problem=told, problem_mark=node.start_mark) from error
        return made

    @staticmethod
    def _require_plain(node: yaml.ScalarNode) -> None:
        words = node.value
        if ":" in words:
            told = f"{words} is a number to the base of 60 in YAML; put it in quotes: '{words}'"
        elif OCTAL.fullmatch(words):
            plain = re.sub(r"^([-+]?)[0_]+(?=\d)", r"\1", words)
            told = f"{words} is an octal number in YAML; write {plain}, or '{words}' for a text"
        else:
            return
        raise _Unclear(problem=told, problem_mark=node.start_mark)


_OWN: dict[str, Callable[[Any, Any], Any]] = {
    "int": _Plain.construct_yaml_int,
    "float": _Plain.construct_yaml_float,
    "timestamp": _Plain.construct_yaml_timestamp,
}
for _name, _make in _OWN.items():
    _Plain.add_constructor(f"tag:yaml.org,2002:{_name}", _make)


def parsed(text: str) -> Any:
    """What a text in YAML says.

    Raises
    ------
    yaml.YAMLError, ValueError, RecursionError
        If it is no YAML, or says something in two ways.

    Examples
    --------
    >>> parsed("roas: 2.0")
    {'roas': 2.0}
    >>> parsed("limit: 030")
    Traceback (most recent call last):
    hkreport.yaml_text._Unclear: 030 is an octal number in YAML; write 30, or '030' for a text
      in "<unicode string>", line 1, column 8:
        limit: 030
               ^
    """
    return copy.deepcopy(_once(text))


@functools.lru_cache(maxsize=32)
def _once(text: str) -> Any:
    """The same; a process opens its settings several times, and reading them takes longer than copying."""
    loader = _Plain(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def read(path: Path) -> Any:
    """What a file of ``params/`` says; None where it is empty.

    Raises
    ------
    ParamsError
        If it cannot be read, is no YAML, or says something in two ways; with its line.
    """
    shown = f"params/{path.name}"
    try:
        return parsed(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(f"{shown} cannot be read: {error.strerror}.") from error
    except RecursionError as error:
        raise ParamsError(f"{shown} is not valid YAML: it is nested too deep.") from error
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "it is not UTF-8 text"
        wrong = "" if isinstance(error, _Unclear) else " is not valid YAML"
        raise ParamsError(f"{shown}{line}{wrong}: {problem}.") from error
