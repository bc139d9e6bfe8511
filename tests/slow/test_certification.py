"""What a reason on the certification page rests on, measured again."""

import math

import numpy as np
import pytest
import reliability

from hkreport.certify.definitions import USERS
from hkreport.certify.trials import BUYERS, RATIO, draw_arm
from hkreport.methods import experiment

RUNS = 12_000


@pytest.mark.slow
def test_the_sound_definition_alarms_in_a_twentieth_of_campaigns_without_effect():
    alarms = 0
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        for _ in range(RUNS):
            control = draw_arm(rng, USERS, BUYERS, 0.8)
            treated = draw_arm(rng, round(RATIO * USERS), BUYERS, 0.8)
            found = experiment.return_on_spend(treated, control, fee=100_000.0)
            alarms += bool(found.low > 0 or found.high < 0)
    number = 2 * RUNS
    reliability.record(
        "insights",
        "experiments without effect",
        campaigns=number,
        alarms_percent=round(100 * alarms / number, 2),
    )
    assert alarms / number <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / number)
