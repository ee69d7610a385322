"""The command line `foundry`: its commands, the doctor, the lists of what is there."""
