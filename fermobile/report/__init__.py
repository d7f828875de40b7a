"""One self-contained HTML file that says what a model is, how good it is and where it came from."""
