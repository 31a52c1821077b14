"""The agent that `graphrt demo` runs: an inbox of letters, a table of orders, a small model in the process."""
