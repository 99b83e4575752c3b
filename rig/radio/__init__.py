"""The air: a virtual link, peripherals on Bumble, and a bleak backend."""
