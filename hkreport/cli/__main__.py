"""``python -m hkreport.cli``."""

from hkreport.cli import main

main()
