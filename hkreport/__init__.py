"""hkreport: reproducible insight reports for influencer campaigns.

Each module answers one question; imports point one way (``tests/test_architecture.py``).
"""

__version__ = "0.1.0"
