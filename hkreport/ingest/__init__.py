"""Files to validated tables, and a list of everything that was decided or is wrong."""

from hkreport.ingest.check import Check, Example, Problem, TableCheck
from hkreport.ingest.loading import Dataset, Settings, load

__all__ = ["Check", "Dataset", "Example", "Problem", "Settings", "TableCheck", "load"]
