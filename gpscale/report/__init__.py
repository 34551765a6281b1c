"""What a study found, on a page."""
