"""What int8 cost, and where: the report of a conversion as a dictionary and as a page."""
