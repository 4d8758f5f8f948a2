"""Trains every system of the zoo, small, on real recordings, so that conversion has real weights.

``python -m babycry_convert.zoo_training --data ../shared/data --out build/zoo``
"""
