"""fermobile: from labelled faces to a verified facial-expression model on a phone."""

__version__ = "0.1.0"
