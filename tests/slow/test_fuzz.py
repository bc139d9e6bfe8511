"""Ten thousand spoilt inputs: no traceback, no hang, little memory, and no row lost."""

import os

import fuzz
import pytest
import reliability

pytestmark = pytest.mark.slow

INPUTS = {"csv": 3600, "xlsx": 1600, "parquet": 1600, "yaml": 2400, "parameters": 1000}
# A part of them, where there is less time; what is written down says how many there were.
SHARE = float(os.environ.get("HKREPORT_FUZZ_SHARE", "1"))


def test_there_are_ten_thousand():
    assert sum(INPUTS.values()) >= 10_000


@pytest.mark.parametrize("kind", INPUTS)
def test_spoilt_inputs_are_read_or_refused_in_a_sentence(kind):
    count = round(INPUTS[kind] * SHARE)
    found = fuzz.feed(kind, count)
    reliability.record(
        "fuzz", kind,
        inputs=found.inputs, read=found.outcomes["read"], refused=found.outcomes["refused"],
        faults=len(found.faults), slowest_cpu_seconds=round(found.slowest, 2),
        most_mebibytes=round(found.largest),
    )  # fmt: skip
    assert found.inputs == count
    assert found.outcomes["read"] > 0
    assert found.outcomes["refused"] > 0
    assert found.faults == [], "\n".join(found.faults[:10])
