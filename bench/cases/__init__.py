"""What is timed: the ways of weightinit_fast, of other libraries and of plain stores to fill."""
