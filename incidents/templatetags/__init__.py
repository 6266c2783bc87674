"""How the desk writes times, stretches of time, amounts and messages."""
