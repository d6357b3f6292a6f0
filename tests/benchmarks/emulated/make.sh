#!/bin/sh
# Makes cortex-a72.json anew: `pixie bench` of the counted model "encoder" as an aarch64 process under QEMU. From the repository's root, with the cache
# that `pixie emulate arm64 --cache CACHE` filled:  tests/benchmarks/emulated/make.sh CACHE
set -eu
CACHE=$(realpath "$1") WORK=$(mktemp -d) HERE=$(pwd)
trap 'rm -rf "$WORK"' EXIT
.venv/bin/python - "$WORK" <<'PYTHON'
import shutil, sys
from pathlib import Path
import flatbuffers
from benchmarks.arm.models import models
from export.write_tflite import tflite_bytes
(Path(sys.argv[1]) / "encoder.tflite").write_bytes(tflite_bytes(models()["encoder"]))
shutil.copytree(Path(flatbuffers.__file__).parent, Path(sys.argv[1]) / "flatbuffers")  # of pure Python: LiteRT's wheel is all that is foreign
PYTHON
# sys.executable of the guest: what it starts must be emulated too.
cat > "$WORK/python" <<SCRIPT
#!/bin/sh
LIBRARIES=\$(find "$CACHE/host" -maxdepth 4 -type d -name '*-linux-gnu' | tr '\n' ':')
exec env LD_LIBRARY_PATH="\$LIBRARIES" "$CACHE/host/usr/bin/qemu-aarch64" -cpu cortex-a72 -L "$CACHE/cortex-a72" -U LD_LIBRARY_PATH \
    -E PYTHONHOME="$CACHE/root/usr" -E PYTHONPATH="$CACHE/site:$HERE:$WORK" -E PIXIE_EMULATED="Cortex-A72" "$CACHE/root/usr/bin/python3.11" "\$@"
SCRIPT
chmod +x "$WORK/python"
"$WORK/python" -c "
import sys
sys.executable = '$WORK/python'
from benchmarks.cli import BENCH
from edge_runtime.cli import run_verb
words = ['bench', '$WORK/encoder.tflite', '--engine', 'litert', '--profile', 'raspberry-pi-4b', '--out', '$WORK/found.json']
sys.exit(run_verb('pixie', {'bench': BENCH}, words))"
mv "$WORK/found.json" "$HERE/tests/benchmarks/emulated/cortex-a72.json"
