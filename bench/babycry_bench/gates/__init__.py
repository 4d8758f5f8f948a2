"""Gates: a place in the report, an operator and a bound; together, the verdict of a run."""
