"""A Keras 3 model as an ordinary torch graph, channels first.

The layers become ``torch.nn`` modules under their Keras names, so that batch normalisation folds
and the int8 writers see plain convolutions; layout changes are written only where Keras's
channels-last order is really observed (Reshape, Permute, Dense on an image, recurrences).
"""
