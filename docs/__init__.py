"""The pages for people, and the programs that write what can be generated of them."""
