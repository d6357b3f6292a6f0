"""Every rule for accelerators shown to hold: a network that breaks just it and one that breaks none."""

from hw_profiles.network import Network

from . import edgetpu, ethos_u55

# By target, then by rule.
PAIRS: dict[str, dict[str, tuple[Network, Network]]] = {"edgetpu": edgetpu.PAIRS, "ethos-u55-128": ethos_u55.PAIRS}
