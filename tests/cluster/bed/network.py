"""The bed's network: a bridge that is the node's address and the gateway of its pods."""

import json
import subprocess
from pathlib import Path

from bed.errors import Failed
from bed.paths import NODE_ADDRESS, POD_NETWORK, SERVICE_NETWORK

BRIDGE = "cni0"


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def bring_up():
    """The bridge is there before the first pod, because CoreDNS and the API server listen on it."""
    prefix = POD_NETWORK.split("/")[1]
    ip("link", "set", "lo", "up")
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "add", f"{NODE_ADDRESS}/{prefix}", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")
    # Addresses of Services are rewritten on the way out, but only if there is a way out.
    ip("route", "add", SERVICE_NETWORK, "dev", BRIDGE)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def write_cni(folder, data):
    """The CNI configuration of the pods."""
    folder.mkdir(parents=True)
    (folder / "10-bed.conflist").write_text(json.dumps({
        "cniVersion": "0.4.0",
        "name": "bed",
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "ipMasq": False,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(data),
                    "ranges": [[{"subnet": POD_NETWORK, "rangeStart": "10.244.0.10"}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }, indent=1))
