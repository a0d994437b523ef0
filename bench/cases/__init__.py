"""The cases that are timed: fills by weightinit_fast, by other libraries and by plain stores."""
