"""What a model may write: schemas and calls as grammars, and the masks that hold it to them."""
