"""The home app: guides a person through a routine on a handheld microcurrent device."""
