"""What each command of ``rig`` does. Nothing here is imported before a command line asks for it."""
