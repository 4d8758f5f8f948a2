"""Recordings for conversion and training: manifests, splits, features and balanced samples."""
