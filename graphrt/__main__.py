"""`python -m graphrt`."""

from graphrt.cli import main

main()
