"""Accuracy on a corpus of any size: in shards, on several processes, resumed after a kill."""
