#!/usr/bin/env bash
# Sets this machine up, builds Chorus, starts a cluster and runs the main job on it. See --help.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
chorus="${CHORUS_BIN:-$here/Cli/bin/Release/net10.0/chorus}"

usage() {
    cat <<'HELP'
Usage: run-cluster.sh [options]

Checks for the .NET 10 SDK, builds Chorus, starts a cluster on this machine (one process that
coordinates, writes and learns; the others carry the clients), runs a simulation on it and says
where its report is. Everything that it started is stopped when it ends, also on Ctrl-C.

The cluster
  --nodes N        Processes; default 3, with --hosts one a machine. 1 runs everything in one process.
  --port P         Port of the coordinating process; default: a free one from 4053 up.
  --hosts A,B,C    A cluster of machines instead: prints the command for each process, A coordinates.
                   More processes than machines go to one after the other, on ports from P up.
  --ssh            With --hosts: runs those commands over ssh (Chorus built in the same folder there).
  --tls DIR        Encrypt, and let in only nodes with a certificate of this cluster's authority. Makes
                   what DIR lacks ('chorus cluster init'); with --ssh copies to each machine its own.
  --yes            Install the .NET SDK into ~/.dotnet without asking, if it is missing.
  --no-build       Use what was built before (or the program that CHORUS_BIN names).
  --help           This text.

The run (handed to 'chorus simulate'; its --help says more)
  --run FILE       Settings: a file, or quickstart (default), congress-eps1, biorxiv-eps1.
  --data DIR       Your own data: train_clients.json, eval.json, initial_set.json.
  --out DIR        Where the run's files go; default: a new folder below runs/.
  --rounds N       --clients N     --seed S     --epsilon E     --device D
  --ledger DIR     A privacy ledger that all runs on this data share; --ledger-epsilon E opens it.
  --set KEY=VALUE  Any other setting (Hocon/reference.conf lists them); repeatable.
  --diagnostics    Also compute what only a simulator can know.
  --resume         Go on with the run in --out (or the newest unfinished one below runs/).
  --dashboard [PORT]    A page that shows the run while it goes on; its address is printed.
  --dashboard-host H    Serves the page on this address; from other machines it needs its token.

What watches over it (every process gets these)
  --monitor [PORT] Health, readiness and Prometheus' metrics of each process, on ports from PORT up;
                   default 9464. With --hosts on each machine's own address, else on 127.0.0.1.
  --otlp URL       Metrics and traces to an OpenTelemetry collector.

A training in place of a run
  --train ...      All that follows is handed to 'chorus train' (its --help says more), and the other
                   processes or machines are its trainers. GPUs of one machine need no cluster:
                   'chorus train --devices cuda:0,cuda:1' has them in one process.

Examples
  ./run-cluster.sh                                       the quickstart, 3 processes
  ./run-cluster.sh --data my-data --epsilon 1            LargeFedBench files of your own
  ./run-cluster.sh --nodes 5 --rounds 3 --clients 5000   a larger cluster
  ./run-cluster.sh --resume --out runs/mine              go on after a crash
  ./run-cluster.sh --dashboard                           with a page to watch it on
  ./run-cluster.sh --hosts 10.0.0.1,10.0.0.2,10.0.0.3    what to start on three machines
  ./run-cluster.sh --hosts 10.0.0.1,10.0.0.2,10.0.0.3 --tls tls --ssh --monitor    starts it there
  ./run-cluster.sh --hosts 10.0.0.1,10.0.0.2 --train --checkpoint /models/llama --data /data/texts.txt --devices auto --epsilon 4 --out runs/dp

Exit codes: those of 'chorus simulate' and 'chorus train': 0 done, 1 failed, 2 bad input, 3 budget refused.
HELP
}

say() { printf '%s\n' "$*"; }
fail() { printf 'run-cluster: %s\n' "$*" >&2; exit "${code:-1}"; }
bad_input() { code=2 fail "$@"; }

command=simulate role=client trainers=()
nodes="" port="" hosts="" over_ssh=no consent=ask build=yes tls="" monitor="" otlp=""
run=()
while [ $# -gt 0 ]; do
    # --name=value is --name value.
    case "$1" in --?*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
    case "$1" in
        --help | -h) usage; exit 0 ;;
        --train) shift; command=train role=trainer; run=("$@"); break ;;
        --ssh) over_ssh=yes; shift ;;
        --yes | -y) consent=yes; shift ;;
        --no-build) build=no; shift ;;
        --diagnostics | --resume) run+=("$1"); shift ;;
        --dashboard)
            run+=("$1")
            shift
            if [[ "${1:-}" =~ ^[0-9]+$ ]]; then run+=("$1"); shift; fi ;;
        --monitor)
            monitor=9464
            shift
            if [[ "${1:-}" =~ ^[0-9]+$ ]]; then monitor="$1"; shift; fi ;;
        --nodes | --port | --hosts | --tls | --otlp | --dashboard-host | --run | --data | --out | --rounds | --clients | --seed | --epsilon | --ledger | --ledger-epsilon | --device | --set)
            [ $# -ge 2 ] || bad_input "$1 needs a value; see --help"
            case "$1" in
                --nodes) nodes="$2" ;;
                --port) port="$2" ;;
                --hosts) hosts="$2" ;;
                --tls) tls="$2" ;;
                --otlp) otlp="$2" ;;
                *) run+=("$1" "$2") ;;
            esac
            shift 2 ;;
        *) bad_input "unknown option $1; see --help" ;;
    esac
done

# Trainers of other processes use what the leader is told to.
if [ "$command" = train ]; then
    for ((i = 0; i < ${#run[@]}; i++)); do
        case "${run[i]}" in
            --device | --devices) trainers=(--devices "${run[i + 1]:-}") ;;
            --device=* | --devices=*) trainers=(--devices "${run[i]#*=}") ;;
        esac
    done
fi

[[ "$nodes" =~ ^([1-9][0-9]{0,2})?$ ]] || bad_input "--nodes must be a whole number in [1, 999], got $nodes"
[[ "$port" =~ ^([1-9][0-9]{0,4})?$ ]] && [ "${port:-1}" -le 65535 ] || bad_input "--port must be in [1, 65535], got $port"
[[ "$monitor" =~ ^([1-9][0-9]{0,4})?$ ]] && [ "${monitor:-1}" -le 65535 ] || bad_input "--monitor must be in [1, 65535], got $monitor"
[ "$command" = simulate ] || [ -z "$monitor$otlp" ] || bad_input "--monitor and --otlp watch over a run, not over --train"
[ "$over_ssh" = no ] || [ -n "$hosts" ] || bad_input "--ssh goes with --hosts A,B,C"

# --- The SDK -----------------------------------------------------------------------------------

has_sdk() { command -v "$1" >/dev/null 2>&1 && "$1" --list-sdks 2>/dev/null | grep -q '^10\.'; }

download() {
    if command -v curl >/dev/null 2>&1; then curl -fsSL "$1" -o "$2"
    elif command -v wget >/dev/null 2>&1; then wget -qO "$2" "$1"
    else fail "neither curl nor wget is here to download $1"; fi
}

require_sdk() {
    has_sdk dotnet && return
    local home="$HOME/.dotnet"
    if ! has_sdk "$home/dotnet"; then
        local how="Install it from https://dotnet.microsoft.com/download/dotnet/10.0, or let this script do it with --yes."
        if [ "$consent" = ask ]; then
            [ -t 0 ] && [ -t 1 ] || fail "the .NET 10 SDK is not here. $how"
            read -r -p "The .NET 10 SDK is not here. Install it into $home with Microsoft's dotnet-install script (about 250 MB)? [y/N] " answer || answer=n
            case "$answer" in [yY]*) ;; *) fail "the .NET 10 SDK is needed. $how" ;; esac
        fi
        local script
        script="$(mktemp)"
        download https://dot.net/v1/dotnet-install.sh "$script" || { rm -f "$script"; fail "dotnet-install.sh could not be downloaded. $how"; }
        bash "$script" --channel 10.0 --install-dir "$home" || { rm -f "$script"; fail "the .NET 10 SDK could not be installed. $how"; }
        rm -f "$script"
        has_sdk "$home/dotnet" || fail "the installed SDK does not run from $home. $how"
    fi
    export DOTNET_ROOT="$home" PATH="$home:$PATH"
}

build_chorus() {
    local log
    log="$(mktemp)"
    say "building (minutes the first time)"
    if ! dotnet build "$here/Cli/Chorus.Cli.csproj" -c Release --nologo -v quiet -clp:NoSummary </dev/null >"$log" 2>&1; then
        grep -E '(error|warning) ' "$log" | sort -u >&2 || cat "$log" >&2
        rm -f "$log"
        fail "Chorus does not build"
    fi
    rm -f "$log"
}

# --- What was started, and its end -------------------------------------------------------------

simulation="" carriers=() logs="" stopping=no

running() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

any_running() {
    local pid
    for pid in "$simulation" ${carriers[@]+"${carriers[@]}"}; do running "$pid" && return 0; done
    return 1
}

# Asks everything to end, waits, and then does not ask any more.
stop_all() {
    local signal pid i
    for signal in TERM KILL; do
        for pid in "$simulation" ${carriers[@]+"${carriers[@]}"}; do running "$pid" && kill -"$signal" "$pid" 2>/dev/null; done
        for ((i = 0; i < 100; i++)); do any_running || return 0; sleep 0.1; done
    done
}

on_exit() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP
    stop_all || true
    # Kept where something went wrong, and not where somebody ended it.
    case "$status" in
        0 | 130 | 143) [ -z "$logs" ] || rm -rf "$logs" ;;
        *) [ -z "$logs" ] || say "what the nodes said: $logs" >&2 ;;
    esac
    exit "$status"
}

on_signal() {
    [ "$stopping" = no ] || return 0
    stopping=yes
    say "" >&2
    say "stopping" >&2
    exit "$1"
}

free_port() {
    local p
    for ((p = 4053; p < 5053; p++)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo "$p"; return; }
    done
    fail "no free port from 4053 to 5052; name one with --port"
}

# --- What every process is told ----------------------------------------------------------------

# The options of process $1 on host $2, beyond its own: certificate, monitor, collector.
process_options() {
    options=()
    [ -z "$tls" ] || options+=(--tls "$tls/$2")
    [ -z "$monitor" ] || options+=(--monitor "$((monitor + $1))")
    [ -z "$monitor" ] || [ -z "$hosts" ] || options+=(--monitor-host "$2")
    [ -z "$otlp" ] || options+=(--otlp "$otlp")
}

make_certificates() { "$chorus" cluster init --out "$tls" --hosts "$1" >/dev/null || fail "no certificates in $tls"; }

# --- A cluster of machines ---------------------------------------------------------------------

list=() commands=() ports=()

plan_hosts() {
    IFS=, read -r -a list <<<"$hosts"
    [ "${#list[@]}" -ge 2 ] || bad_input "--hosts takes at least two machines, separated by commas; leave it out for this one alone"
    local count="${nodes:-${#list[@]}}" base="${port:-4053}" host i quoted="" extra options
    [ "$count" -ge "${#list[@]}" ] || bad_input "--nodes $count is fewer than the ${#list[@]} machines of --hosts"
    [ "${#run[@]}" = 0 ] || quoted="$(printf ' %q' "${run[@]}")"
    for host in "${list[@]}"; do
        [[ "$host" =~ ^[A-Za-z0-9][A-Za-z0-9.-]*$ ]] || bad_input "--hosts: \"$host\" is neither a name nor an IPv4 address"
    done
    for ((i = 0; i < count; i++)); do
        host="${list[i % ${#list[@]}]}"
        ports+=($((base + i / ${#list[@]})))
        process_options $((i / ${#list[@]})) "$host"
        extra=""
        [ "${#options[@]}" = 0 ] || extra="$(printf ' %q' "${options[@]}")"
        if [ "$i" = 0 ]; then
            commands+=("$(printf '%q' "$chorus") $command --nodes $count --host $host --port ${ports[i]}$extra$quoted")
        else
            commands+=("$(printf '%q' "$chorus") node --roles $role${trainers[*]+ ${trainers[*]}} --host $host --port ${ports[i]} --seed-node ${list[0]}:$base$extra")
        fi
    done
}

print_hosts() {
    local i last="${ports[${#ports[@]} - 1]}" opened="port ${ports[0]}"
    [ "$last" = "${ports[0]}" ] || opened="ports ${ports[0]} to $last"
    say "Build Chorus on every machine (./run-cluster.sh --nodes 1 does), open $opened between them,"
    say "copy --data (and a checkpoint) to the same path on each, and start, in any order:"
    if [ -n "$tls" ]; then
        say ""
        say "first, here:"
        say "  $(printf '%q' "$chorus") cluster init --out $(printf '%q' "$tls") --hosts $hosts"
        say "  and copy $tls/HOST to the same path on each HOST, and nothing else of it"
    fi
    for i in "${!commands[@]}"; do
        say ""
        say "on ${list[i % ${#list[@]}]}:"
        say "  ${commands[i]}"
    done
}

run_hosts() {
    local i host
    if [ -n "$tls" ]; then
        make_certificates "$hosts"
        # Each machine gets its own key, over ssh, readable by its user alone.
        for host in "${list[@]}"; do
            tar -C "$tls" -cf - "$host" | ssh -o BatchMode=yes "$host" "umask 077 && mkdir -p $(printf '%q' "$tls") && tar -C $(printf '%q' "$tls") -xf -" \
                || fail "the certificate could not be copied to $host"
        done
    fi

    logs="$(mktemp -d "${TMPDIR:-/tmp}/chorus-cluster.XXXXXX")"
    trap on_exit EXIT
    trap 'on_signal 130' INT
    trap 'on_signal 143' TERM HUP
    # -tt: the far end hears of it when this end goes.
    for ((i = 1; i < ${#commands[@]}; i++)); do
        host="${list[i % ${#list[@]}]}"
        ssh -tt -o BatchMode=yes "$host" "${commands[i]}" </dev/null >"$logs/$host-${ports[i]}.log" 2>&1 &
        carriers+=($!)
    done
    ssh -tt -o BatchMode=yes "${list[0]}" "${commands[0]}" </dev/null &
    simulation=$!
    follow
}

# --- A cluster on this machine -----------------------------------------------------------------

# Waits for the simulation; tells of nodes that end before it.
follow() {
    local i status lost=0
    while running "$simulation"; do
        for i in "${!carriers[@]}"; do
            running "${carriers[i]}" && continue
            status=0
            wait "${carriers[i]}" || status=$?
            unset "carriers[i]"
            lost=$((lost + 1))
            if [ "$command" = train ]; then
                say "run-cluster: a trainer ended (exit code $status); the others go on" >&2
            else
                say "run-cluster: a client node ended (exit code $status); the others take its clients over" >&2
            fi
            tail -n 5 "$logs"/*.log >&2 || true
            [ "$command" = train ] || [ "${#carriers[@]}" -gt 0 ] || fail "no client node is left; go on with --resume"
        done
        sleep 0.2
    done
    status=0
    wait "$simulation" || status=$?
    exit "$status"
}

run_here() {
    local i options
    nodes="${nodes:-3}"
    [ -z "$tls" ] || make_certificates 127.0.0.1
    process_options 0 127.0.0.1
    if [ "$nodes" = 1 ]; then
        exec "$chorus" "$command" ${port:+--port "$port"} ${options[@]+"${options[@]}"} ${run[@]+"${run[@]}"}
    fi

    port="${port:-$(free_port)}"
    [ "$nodes" != 2 ] || [ "$command" = train ] || say "note: of 2 processes one carries all clients; if it dies, the run stops until it is resumed"
    logs="$(mktemp -d "${TMPDIR:-/tmp}/chorus-cluster.XXXXXX")"
    trap on_exit EXIT
    trap 'on_signal 130' INT
    trap 'on_signal 143' TERM HUP
    # Background jobs share this terminal's output; Ctrl-C reaches this script, which stops them.
    "$chorus" "$command" --nodes "$nodes" --port "$port" ${options[@]+"${options[@]}"} ${run[@]+"${run[@]}"} </dev/null &
    simulation=$!
    for ((i = 2; i <= nodes; i++)); do
        process_options $((i - 1)) 127.0.0.1
        "$chorus" node --roles "$role" ${trainers[@]+"${trainers[@]}"} --seed-node "127.0.0.1:$port" ${options[@]+"${options[@]}"} </dev/null >"$logs/node-$i.log" 2>&1 &
        carriers+=($!)
    done
    follow
}

if [ -n "$hosts" ]; then
    case "$tls" in "" | /*) ;; *) tls="$PWD/$tls" ;; esac # the same on every machine
    plan_hosts
    [ "$over_ssh" = yes ] || { print_hosts; exit 0; }
fi
require_sdk
[ "$build" = no ] || build_chorus
[ -x "$chorus" ] || fail "$chorus is not there: run without --no-build"
if [ -n "$hosts" ]; then run_hosts; else run_here; fi
