#!/usr/bin/env bash
# What each part of popri-plus is worth: the quickstart with one part changed at a time, in both flavours, over seeds, at epsilon 1. What is done is not run again.
# Usage: Benchmarks/ablation.sh CHORUS_BINARY OUT_FOLDER [SEEDS="1 2"] [JOBS=2] [SETTING=VALUE ...]
#   FLAVOURS="biorxiv congress" and ROWS="name|name" choose; the last lines are the table, which JOBS=0 prints anew from what is there.
# A job is one process with one thread. First the policy of each flavour and seed is pretrained, and its floor trained; all rows then find them in the user's cache.
set -uo pipefail
chorus="$(realpath "$1")" out="$(realpath -m "$2")" seeds="${3:-1 2}" jobs="${4:-2}"
shift $(( $# < 4 ? $# : 4 ))
flavours="${FLAVOURS:-biorxiv congress}"
mkdir -p "$out"
# name: settings
cat > "$out/rows" <<'ROWS'
private: method=private
popri-plus: method=popri-plus
popri: method=popri
pe: method=pe
untuned: method=untuned
all public texts, no client asked: method=public evaluation.public-texts=0
popri, subspace release: method=popri popri.release=subspace
popri, subspace, centred within prompts: method=popri popri.release=subspace popri.centre=prompt
centred over all: method=popri-plus popri.centre=all
ranked by the round alone: method=popri-plus popri.rank-by=round
one text for one: method=popri-plus popri.best-of=1
public texts in the product: method=popri-plus popri.public-texts=on
wider half of the pairs: method=popri-plus popri.keep-pairs=0.5
IPO: method=popri-plus policy.dpo.loss=ipo
label smoothing 0.05: method=popri-plus policy.dpo.label-smoothing=0.05
75 prompts of 20: method=popri-plus popri.prompts=75 popri.samples=20
four texts for one: method=popri-plus popri.best-of=4
against the worst of a prompt: method=popri-plus popri.rejected-rank=10
no noise: method=popri-plus privacy.epsilon=inf
768 numbers an embedding: method=popri-plus encoder.dimension=768
1280 numbers an embedding: method=popri-plus encoder.dimension=1280
popri of 1280 numbers: method=popri encoder.dimension=1280
three texts for one: method=popri-plus popri.best-of=3
twelve rounds: method=popri-plus rounds=12
three epochs of DPO: method=popri-plus policy.dpo.epochs=3
DPO rate 2e-3: method=popri-plus policy.dpo.learning-rate=2e-3
DPO beta 0.2: method=popri-plus policy.dpo.beta=0.2
popri, DPO beta 1: method=popri policy.dpo.beta=1
no smoothing: method=popri-plus policy.dpo.label-smoothing=0
ROWS
export chorus out
run() { # flavour seed name settings...
    local flavour="$1" seed="$2" name="$3" folder; shift 3
    folder="$out/$flavour-$seed/${name//[ ,]/-}"
    [ -e "$folder/result.json" ] && return
    rm -rf "$folder"; mkdir -p "$(dirname "$folder")"
    local given=(); for setting in "$@"; do given+=(--set "$setting"); done
    "$chorus" simulate --run quickstart --seed "$seed" --epsilon 1 --out "$folder" --set data.synthesize.flavour="$flavour" --set evaluation.ceiling=off --device cpu "${given[@]}" > "$folder.log" 2>&1 \
        || { echo "ablation: $flavour-$seed, $name: $(tail -1 "$folder.log")" >&2; return 1; }
}
export -f run
export more="$*"
each() { xargs -d '\n' -P "$jobs" -I{} bash -c 'IFS="|" read -r f s n settings <<< "{}"; run "$f" "$s" "$n" $settings $more'; }
if [ "$jobs" -gt 0 ]; then
    for f in $flavours; do for s in $seeds; do
        echo "$f|$s|pretraining|method=untuned synthetic.texts=100 evaluation.downstream=off evaluation.text-measures=off"
    done; done | each
    for f in $flavours; do for s in $seeds; do echo "$f|$s|public|method=public"; done; done | each
    grep -E "^(${ROWS:-.*}):" "$out/rows" | while IFS=: read -r name settings; do
        for f in $flavours; do for s in $seeds; do echo "$f|$s|$name|${settings# }"; done; done
    done | each
fi
python3 - "$out" <<'PY'
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
names = [line.split(":")[0] for line in open(out / "rows")]
pairs = sorted(p.name for p in out.iterdir() if p.is_dir())
def accuracy(pair, name):
    file = out / pair / name.replace(" ", "-").replace(",", "-") / "result.json"
    if not file.exists():
        return None
    run = json.load(open(file))
    return run["accuracy"]["floor" if run["method"] == "public" else "method"]
print("| gap closed | " + " | ".join(p.replace("-", ", seed ") for p in pairs) + " | mean | less popri-plus, mean |\n| --- |" + " --- |" * (len(pairs) + 2))
def gaps(name):
    values = []
    for p in pairs:
        floor, ceiling, own = accuracy(p, "public"), accuracy(p, "private"), accuracy(p, name)
        values.append(None if None in (floor, ceiling, own) else (own - floor) / (ceiling - floor))
    return values
whole = gaps("popri-plus")
for name in names:
    own = gaps(name)
    if all(v is None for v in own):
        continue
    known = [v for v in own if v is not None]
    lead = [v - w for v, w in zip(own, whole) if v is not None and w is not None]
    print(f"| {name} | " + " | ".join("" if v is None else f"{v:.3f}" for v in own) + f" | {sum(known) / len(known):.3f} | " + (f"{sum(lead) / len(lead):+.3f}" if lead else "") + " |")
PY
