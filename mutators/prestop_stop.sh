# preStop hook of a Ray head, under the shell of Ray's own container: asks the raylet and then the GCS
# to end, as `ray stop` does, but at once: its Python takes 2 s to start, more on a busy node. The
# workers see that the GCS is gone and end, too, instead of draining to a head that is going.
#
# Filled in by mutators/prestop_drain.c: @HALF@ is half of the time that is there for `ray stop`. It
# gets the other half, should one of them not have ended by then. Needs only coreutils and grep.

e=$(($(date +%s) + @HALF@))
# What has ended stays in /proc as a zombie until `ray start` looks, once a second.
running() { grep -lsE "^[0-9]+ [(]$1[)] [^ZX]" /proc/[0-9]*/stat; }
for name in raylet gcs_server; do
  for p in $(running $name); do p=${p%/stat}; kill -TERM "${p#/proc/}" 2>/dev/null; done
  while running $name >/dev/null && [ "$(date +%s)" -lt $e ]; do sleep 0.1; done
done
running '(raylet|gcs_server)' >/dev/null && ray stop --grace-period=@HALF@
# `ray start --block` does not end with them; prestop_drain.sh says why SIGINT.
kill -INT 1; sleep 4
