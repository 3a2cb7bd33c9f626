"""Pages of docs/ that show real runs: what was recorded is data in docs/recorded, the pages are made from it."""
