"""The script and the judgement: scenarios, the stage that plays them, checks, verdicts and reports."""
