"""Out to the coders' tools and back: `facespan export` and `facespan import-annotations`."""
