"""Linux boards without Python: one static program, run there or over ssh."""
