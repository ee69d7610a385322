"""How much a CPU works on at once: what it computes with stays in its caches then, and memory is bounded."""

CPU_TOKENS = 2048
"""Most tokens of prompts that a CPU encodes at once. Measured on one core with a layer 256 wide: 235 GFLOP/s
over 1,024 and 2,048 tokens, 167 over 10,944; on a processor that reaches 100, 1,024 and 2,048 take the same
time and 256 a tenth more."""

CPU_PICTURES = 8
"""Most pictures that a CPU encodes at once. Measured on one core with a tower of 5 million weights: 43 ms a
picture in batches of 4 and 8, 47 ms in batches of 32."""


def rows_at_once(tokens: int) -> int:
    """Rows of such a length that a CPU encodes at once."""
    return max(1, CPU_TOKENS // tokens)
