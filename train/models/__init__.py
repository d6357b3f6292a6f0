"""The networks: layers in two kinds, float and quantisation-aware, and the variational autoencoder built of either."""
