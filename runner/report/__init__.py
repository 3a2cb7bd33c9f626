"""Verdicts and runs for a reader. Nothing here judges, plays or reads a lab: what is shown was found out elsewhere."""
