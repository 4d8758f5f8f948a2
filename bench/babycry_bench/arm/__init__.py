"""ARM Python under emulation: roots, cross-built wheels, and what runs in them."""
