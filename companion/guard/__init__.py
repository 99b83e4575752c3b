"""The guard: a process of its own that ends the link to the device when the app no longer can (safety case, H4).

BlueZ keeps a link up although the program that opened it was killed or hangs, and a device without a keep-alive goes on
giving current on such a link. So beside every link on a real adapter runs ``python -m companion.guard``
(:mod:`companion.guard.watch`). It hears from the app's event loop four times a second. When it hears nothing for 1.5 s,
when the app's end of the pipe closes without a word, or when the computer was asleep, it ends the link by itself:
through D-Bus on BlueZ (:mod:`companion.guard.bluez`), by ending the app's process elsewhere, because there the system
closes the links of a process that has ended.

The app's end is :mod:`companion.guard.keeper`. Without a guard that has said that it holds the link no handshake
begins, and a guard that falls silent ends the session: no guard, no output.
"""
