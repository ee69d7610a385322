"""A model behind an OpenAI-compatible endpoint of our own: requests that come together share batches."""
