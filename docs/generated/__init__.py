"""What the generated parts of the documentation say."""
