"""The containers of recorded traffic, one file each; :mod:`rig.capture.registry` finds the right one by content."""
