# preStop hook of a Ray worker, under `bash -c` in Ray's own container: takes the worker out of
# service and lets running work end. Measured on a kubelet with Ray 2.46 and 2.60: `ray stop` loses a
# running task after 4 s, this does not, and deleting a whole cluster takes 3 s.
#
# Filled in by mutators/prestop_drain.c: @BUDGET@ is the grace period less 15 s. Needs only bash,
# coreutils and grep: slim images have no pgrep. A hook may be delivered twice; so may a drain.

SECONDS=0; b=@BUDGET@; a=${RAY_ADDRESS:-}
# Is the GCS there? Without an address of the form HOST:PORT nobody can tell: assume so.
up() { [[ $a =~ ^[A-Za-z0-9.-]+:[0-9]+$ ]] || return 0; timeout -s KILL 2 bash -c ": 3<>/dev/tcp/${a%:*}/${a##*:}" 2>/dev/null; }
# What has ended stays in /proc as a zombie until `ray start` looks, once a second.
raylets() { grep -lsE "^[0-9]+ [(]raylet[)] [^ZX]" /proc/[0-9]*/stat; }
# Ends the raylet, if it still runs, and `ray start --block`, which does not end with it. Left to
# SIGTERM, Ray 2.60 would ask the GCS for a drain of its own and wait for 30 s: in vain if the GCS is
# gone, and past the grace period after a long drain, so that nobody told the GCS and the actors of
# the worker were missed for half a minute. The end of process 1 ends the hook, too.
off() {
  for p in $(raylets); do p=${p%/stat}; kill -TERM "${p#/proc/}" 2>/dev/null; done
  for p in {1..20}; do raylets >/dev/null || break; sleep 0.2; done
  kill -INT 1; sleep 4; exit 0
}
# A GCS that is gone means that the cluster is going: there is nothing to drain to.
up || off
# CLIs before Ray 2.44 require the node id. The raylet has it in its command line, written
# --node_id= up to 2.46 and --node-id= later.
id=$(grep -aohE -m 1 -- '--node[_-]id=[0-9a-f]{56}' /proc/[0-9]*/cmdline 2>/dev/null | head -n 1)
# KILL, because the CLI ignores SIGTERM while it connects; 8 s, because its start alone takes 2 to 5
# of a throttled CPU. PREEMPTION, because IDLE_TERMINATION is rejected unless the node is idle.
drain() { timeout -s KILL "$1" ray drain-node ${id:+--node-id "${id#*=}"} --reason DRAIN_NODE_REASON_PREEMPTION --reason-message "pod is terminating" --deadline-remaining-seconds "$b"; }
drain 8; r=$?
# Killed though the GCS answers: on a busy node the start takes longer. Given up here, running tasks
# would be lost (seen at a load of 70 on two cores); so once more, for as long as the GCS is there.
if [ $r -eq 137 ] && up; then
  drain 20 & p=$!
  while kill -0 $p 2>/dev/null; do up || off; sleep 0.5; done
  wait $p; r=$?
fi
# Usage error: a CLI without the command, or one that needs a node id which nobody has.
[ $r -eq 2 ] && exec ray stop --grace-period=10
[ $r -eq 0 ] || { up || off; exit 0; }
# A drained raylet exits by itself when its work is done.
while [ $SECONDS -lt "$b" ] && raylets >/dev/null && up; do sleep 0.3; done
off
