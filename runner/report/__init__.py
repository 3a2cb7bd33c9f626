"""Verdicts and runs for a reader. Nothing here judges, plays or reads a lab: it shows what others found."""
