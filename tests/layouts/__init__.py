"""Tiny repositories with random weights, each laid out as its family's are on the hub.

One file a family with `build(folder)`, which writes one repository whole: configs, tokenizer, processor, chat
template, weights in safetensors, sharded where the published ones are. Tokenizer classes are the real ones.
"""
