"""The pages of the desk that show and change the record."""
