"""The science: arrays and tensors in, arrays and tensors out; opens no file."""
