# preStop hook of a Ray head, under the shell of Ray's own container: the raylet ends before the GCS, as
# `ray stop` does it, but at once: its Python takes 2 s to start, more on a busy node. The workers
# see that the GCS is gone and end, too, instead of draining to a head that is going.
#
# Filled in by mutators/prestop_drain.c: @HALF@ is half of the time that is there for `ray stop`. It
# gets the other half, should the raylet not have ended by then. Needs only coreutils and grep.

e=$(($(date +%s) + @HALF@))
# What has ended stays in /proc as a zombie until `ray start` looks, once a second.
raylets() { grep -lsE "^[0-9]+ [(]raylet[)] [^ZX]" /proc/[0-9]*/stat; }
for p in $(raylets); do p=${p%/stat}; kill -TERM "${p#/proc/}" 2>/dev/null; done
while raylets >/dev/null && [ "$(date +%s)" -lt $e ]; do sleep 0.1; done
raylets >/dev/null && ray stop --grace-period=@HALF@
# `ray start --block` gives the GCS 1 s to end, as it does without this hook: while workers are
# connected, the GCS of Ray 2.60 does not heed SIGTERM. prestop_drain.sh says why SIGINT.
kill -INT 1; sleep 4
