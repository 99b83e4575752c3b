"""Recorded traffic: containers, and what is in them."""
