"""What the page of model files says first."""

from ..results import Results
from .cells import number


def first_paragraph(results: Results) -> str:
    """Which models on which engines, and the median of their paced calls; of several machines, those of the first."""
    told = []
    for model in results.figures["models"]:
        prefix = f"latency_of.{model['slug']}."
        found = {record.id.removeprefix(prefix).removesuffix(".paced.p50"): record for record in results.with_prefix(prefix)
                 if record.id.endswith(".paced.p50") and record.value is not None}
        calls = ", ".join(f"{engine} {number(float(record.value or 0), record.unit)} µs" for engine, record in found.items())
        told.append(f"{model['name']}: {calls}" if calls else f"{model['name']}: not timed at a pace")
    machines = results.environment.get("machines")
    where = f" on {machines.partition(', ')[0]}; the other machines stand beside it below" if isinstance(machines, str) else ""
    return f"Median of a call at its pace, caches swept before it{where}. {'; '.join(told)}."
