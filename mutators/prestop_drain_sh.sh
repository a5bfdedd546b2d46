# prestop_drain.sh for containers that are not started by bash: without /dev/tcp and $SECONDS. See
# there for the reasons of each line.

b=@BUDGET@; e=$(($(date +%s) + b))
id=$(grep -aohE -m 1 -- '--node[_-]id=[0-9a-f]{56}' /proc/[0-9]*/cmdline 2>/dev/null | head -n 1)
timeout -s KILL 8 ray drain-node ${id:+--node-id "${id#*=}"} --reason DRAIN_NODE_REASON_PREEMPTION --reason-message "pod is terminating" --deadline-remaining-seconds "$b"; r=$?
[ $r -eq 2 ] && exec ray stop --grace-period=10
[ $r -eq 0 ] || exit 0
while [ "$(date +%s)" -lt "$e" ] && grep -qsx raylet /proc/[0-9]*/comm; do sleep 1; done
for p in $(grep -lsx raylet /proc/[0-9]*/comm); do p=${p%/comm}; kill -TERM "${p#/proc/}" 2>/dev/null; done
for p in 1 2 3 4; do grep -qsx raylet /proc/[0-9]*/comm || break; sleep 1; done
kill -INT 1; sleep 4; exit 0
