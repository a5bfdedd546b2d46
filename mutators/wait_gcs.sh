# rayfix.io gcs-wait/1
#
# Waits until the GCS of a Ray head answers. Runs under `bash -c` as PID 1 of an init container, in
# Ray's own image, and takes the place of KubeRay's loop around `ray health-check`, which needs 90 MB
# and cannot be stopped by SIGTERM.
#
# Filled in by mutators/wait_gcs.c: @HOST@ and @PORT@ are checked against a strict character set,
# @MODE@ is h2 or tcp, @TIMEOUT@ is in seconds, 0 for endless.
#
# The kubelet expands $(NAME) and $$ in args, so neither may occur; $(command …) and $((…)) are left
# alone because no variable has such a name.
#
# Exit codes: 0 ready, 1 timed out, 143 on SIGTERM, 130 on SIGINT.

h='@HOST@'; p='@PORT@'; m='@MODE@'; T=@TIMEOUT@
# PID 1 gets only those signals that it has a handler for.
trap 'exit 143' TERM; trap 'exit 130' INT
# An image without `timeout` still gets the check, with the kernel's limit for connecting.
command -v timeout >/dev/null || timeout() { shift; "$@"; }
# A trap runs at once during `wait`, but only after the end of a foreground sleep.
nap() { sleep "$1" & wait "$!"; }
# h2: a gRPC server speaks first, and the first byte of its SETTINGS frame is NUL, which is what
# `read -d ""` reads up to. A proxy that accepts connections without a head behind it stays silent.
# tcp: a TLS server is silent until the client speaks, so connecting has to do.
s='exec 3<>"/dev/tcp/$0/$1"'
[ "$m" = tcp ] || s+=' && { IFS= read -r -t 3 -d "" -u 3 x || { r=$?; [ -z "$x" ] || echo "unexpected answer"; exit "$r"; }; }'
# Workers of one group start together: spread them.
nap "0.$((RANDOM % 10))"
SECONDS=0; d=1
while :; do
  # A new process resolves the name anew: a replaced head has another address.
  e=$(timeout 6 bash -c "$s" "$h" "$p" 2>&1); r=$?
  if [ "$r" -eq 0 ]; then echo "GCS is ready at $h:$p after ${SECONDS}s."; exit 0; fi
  # bash prints two lines for a name that does not resolve; the first one has the reason. It prints
  # nothing when the connection ends (1), when the read times out (142: as if by SIGALRM), and when
  # `timeout` ends it (124, or 143 with busybox).
  e=${e%%$'\n'*}; e=${e##*: }
  if [ -z "$e" ]; then case $r in 1|142) e='no answer';; *) e='timed out';; esac; fi
  if [ "$T" -gt 0 ] && [ "$SECONDS" -ge "$T" ]; then echo "Gave up on the GCS at $h:$p after ${SECONDS}s ($e)." >&2; exit 1; fi
  echo "$SECONDS seconds elapsed: Waiting for GCS to be ready at $h:$p ($e)."
  nap "$d.$((RANDOM % 10))"
  d=$((d * 2)); [ "$d" -gt 8 ] && d=8
done
