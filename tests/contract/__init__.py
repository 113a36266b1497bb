"""What others rely on: names, shapes and the rules of the house."""
