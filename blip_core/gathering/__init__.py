"""Brings pictures with their texts from pages on the web into a folder, which runs read without a network."""

from blip_core.gathering.fetching import Limits, Web
from blip_core.gathering.gather import INDEX, REFUSED, Gathered, Wanted, gather
from blip_core.gathering.hosts import AllowedHosts, address_of, hosts_of
from blip_core.gathering.visits import PICTURES

__all__ = [
    "INDEX",
    "PICTURES",
    "REFUSED",
    "AllowedHosts",
    "Gathered",
    "Limits",
    "Wanted",
    "Web",
    "address_of",
    "gather",
    "hosts_of",
]
