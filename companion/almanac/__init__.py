"""One person's plan, water, skin and reminders as values for every face of the app.

Joins what the store keeps with the pure modules of ``companion.care``; refuses to draw, to ask and to start anything.
"""

from companion.almanac.book import Almanac, Facts, NoPlanError, Session
from companion.almanac.zone import Place, local_place

__all__ = ["Almanac", "Facts", "NoPlanError", "Place", "Session", "local_place"]
