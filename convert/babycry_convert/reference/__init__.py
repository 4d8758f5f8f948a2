"""The reference cry detector: network, data, training, cross-validation and the shipped files."""
