# prestop_drain.sh for containers that are not started by bash: without /dev/tcp and $SECONDS. See
# there for the reasons of each line. The CLI has one try: nobody here can tell a busy node from a GCS
# that is gone.

b=@BUDGET@; e=$(($(date +%s) + b))
raylets() { grep -lsE "^[0-9]+ [(]raylet[)] [^ZX]" /proc/[0-9]*/stat; }
id=$(grep -aohE -m 1 -- '--node[_-]id=[0-9a-f]{56}' /proc/[0-9]*/cmdline 2>/dev/null | head -n 1)
timeout -s KILL 8 ray drain-node ${id:+--node-id "${id#*=}"} --reason DRAIN_NODE_REASON_PREEMPTION --reason-message "pod is terminating" --deadline-remaining-seconds "$b"; r=$?
[ $r -eq 2 ] && exec ray stop --grace-period=10
[ $r -eq 0 ] || exit 0
while [ "$(date +%s)" -lt "$e" ] && raylets >/dev/null; do sleep 0.3; done
for p in $(raylets); do p=${p%/stat}; kill -TERM "${p#/proc/}" 2>/dev/null; done
for p in $(seq 20); do raylets >/dev/null || break; sleep 0.2; done
kill -INT 1; sleep 4; exit 0
