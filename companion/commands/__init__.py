"""What each command of ``companion`` does. Nothing here is imported before a command line asks for it."""
