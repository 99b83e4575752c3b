"""From records to ATT: HCI, the link layer, L2CAP. Each layer takes bytes and hands on bytes; none reads a file."""
