"""Where the companion meets the system and the house around it. Nothing here starts or raises output."""
