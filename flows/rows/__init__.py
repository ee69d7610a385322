"""Which rows a person names: a dataset, or those between two stages; and what people decide about them."""
