"""The real aarch64 LiteRT under QEMU: the same codes as on this host, and how many instructions an inference takes."""
