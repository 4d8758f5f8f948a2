"""Microcontrollers over a serial port: the host's side of the line protocol."""
