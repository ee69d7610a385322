"""What `foundry doctor` looks at, a subject a file; heavy libraries are imported where a check needs them."""
