"""Timing under regression: what is measured, which distributions are kept, and the rule that compares them."""
