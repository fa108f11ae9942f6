"""What DNS answers mean: addresses and aliases, mail and its senders, autonomous systems, block lists."""
