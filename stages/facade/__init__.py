"""What `import facespan` asks for, answered in a process of its own: plain values, arrays and Arrow tables."""
