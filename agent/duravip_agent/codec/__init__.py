"""Bytes that kernels and segments exchange: netlink, nf_tables, classic BPF, ARP and ND."""
