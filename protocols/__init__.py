"""What handheld facial devices say over Bluetooth LE: bytes and a time go in, events and operations come out.

This package refuses to know about asyncio, bleak, clocks, files and every other form of I/O.
"""
