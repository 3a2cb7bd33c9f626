"""Verdicts and runs for a reader. Nothing here judges, plays or reads a lab: others found out what is shown."""
