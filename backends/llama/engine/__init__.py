"""Many requests on one model: what is computed together, what is reused, and how the next token is drawn."""
