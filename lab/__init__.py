"""The world: hosts, the networks between them, and captures of what they sent.

Nothing in this package knows of scenarios, YAML or scapy, and nothing in it imports `runner`.
"""
