"""What is measured, how, and against what. Every benchmark prints ratios."""
