"""The command line: arguments, progress and exit codes only.

Heavy libraries are imported inside the commands that use them, so that ``--help`` answers at once.
"""

from hkreport.cli import advise, build, certify, data, deliver, explore, study
from hkreport.cli.app import app, main

__all__ = ["advise", "app", "build", "certify", "data", "deliver", "explore", "main", "study"]
