"""The app in a browser: who may ask, the process behind each tab, and the driver inside it."""
