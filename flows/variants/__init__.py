"""Who is compared: variants of a recipe, or adapters that somebody names."""
