"""Reports held against each other, and over time."""
