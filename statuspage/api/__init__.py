"""The management API, version 1: what programs know from other status pages, over our deeds."""
