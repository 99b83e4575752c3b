"""One widget a file, its .tcss beside it."""
