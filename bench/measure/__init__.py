"""How it is timed: the commands of ``python -m bench`` that measure."""
