"""The test bench: read, record, simulate, replay, compare. Knows protocols; never knows companion."""
