"""What is asked of both versions."""

QUESTION = "Question: What is in the picture? Answer:"
