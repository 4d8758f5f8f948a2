"""What machine and build the figures come from, and what may have spoiled them."""
