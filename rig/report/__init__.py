"""Reports of replays and comparisons: the terminal, JSON, JUnit XML and one self-contained page of HTML."""
