"""One device and one link to it: finding, connecting, and owning every byte that goes out."""
