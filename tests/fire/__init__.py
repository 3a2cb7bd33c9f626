"""Socket Lab under fire: each trouble again and again, counted. `python -m tests.fire` writes docs/reliability.md."""
