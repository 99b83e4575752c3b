"""What is kept on disk: one SQLite database in the data folder."""
