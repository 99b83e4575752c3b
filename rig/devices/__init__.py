"""Simulated devices: the other side of the link, as the makers' firmware really behaves. Sans-I/O."""
