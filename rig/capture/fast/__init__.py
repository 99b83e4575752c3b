"""Captures in windows of columns: the same rows as :mod:`rig.capture.rows`, many times faster on large files.

numpy does what is alike in thousands of records. Whatever is not (connection events, discovery, oddities, damage) goes
through the same layers and the same tracker as on the scalar path, in the same order: there is one meaning, not two.
"""
