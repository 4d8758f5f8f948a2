"""Parity: that the device's answer is the desktop's answer, and how far it is where it is not."""
