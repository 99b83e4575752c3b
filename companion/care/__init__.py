"""Screening and what surrounds a session. Pure."""
