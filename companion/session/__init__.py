"""One guided session: what to do next (engine), what never to do (interlocks), what was done (journal)."""
