"""The tools that back up and restore, a module each: they answer with values, without Django."""
