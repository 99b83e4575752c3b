"""Timing under regression: what is measured, the distributions that are kept, and the rule by which they are compared."""
