"""What the app says, one catalogue a screen, so that a translation can follow."""
