"""Catalogues: what customers read, found in the code, kept in ``locale/``, compiled and checked."""
