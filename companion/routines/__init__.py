"""Routines as data: the model, the zones and the library."""
