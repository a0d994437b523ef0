"""How the cases are timed: the commands of ``python -m bench`` that measure."""
