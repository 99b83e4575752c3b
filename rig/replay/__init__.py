"""Replay: one transcript as decoder test, as the device and as the app, with the lateness of every event measured."""
