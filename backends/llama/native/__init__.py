"""llama.cpp itself: which library it is and whether it works here, a file's weights and words, and one context."""
