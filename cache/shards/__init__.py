"""Shards, one HDF5 file a video: frames and features, their manifest, and the folders that hold them."""
