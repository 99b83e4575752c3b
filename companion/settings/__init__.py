"""What holds for this computer and household: what can be set, and the one file that keeps it. No person, no screen."""
