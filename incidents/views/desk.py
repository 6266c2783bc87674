"""How the desk shows lists."""

# How many rows a list of the desk shows at once.
PAGE = 25
