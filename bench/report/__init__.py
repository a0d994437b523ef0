"""What the figures mean: results, goals, verdicts, the kept baseline, tables and pictures."""
