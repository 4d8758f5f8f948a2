"""Accuracy on recordings: the device's pipeline beside the float one that the model came from."""
