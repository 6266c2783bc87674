"""What the page says, as bytes: rows go in, documents come out; nothing here asks a database."""
