"""Memory that a server under a load without pauses needs for other things than its requests."""

import re
import time
import unittest

from secret_api import SECRET, ApiLoad, Case, SecretServer
from server_process import PATIENCE, SANITIZED, main, wait_until, write_configuration


def resident_of(pid, library):
    """kB of a library's pages that the process holds."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        mappings = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", file.read(), flags=re.MULTILINE)
    return sum(int(re.search(r"^Rss:\s+(\d+) kB", mapping, re.MULTILINE).group(1))
               for mapping in mappings if library in mapping.partition("\n")[0])


class MemoryTest(Case):
    @unittest.skipIf(SANITIZED, "the sanitizers' own memory is larger")
    def test_handshakes_with_the_api_server_leave_nothing_behind(self):
        with SecretServer(self.api, resync="5m") as server:
            pid = server.process.pid
            self.look_rarely(server)
            with ApiLoad(server, clients=4):
                self.api.remove(SECRET)
                wait_until(lambda: server.rotations("ca_changed"), "another CA")
                touched = resident_of(pid, "libcrypto")
                self.assertGreater(touched, 1000, "or there is nothing to see here")
                end = time.monotonic() + PATIENCE
                while resident_of(pid, "libcrypto") > touched / 2:
                    self.assertLess(time.monotonic(), end, "never given back")
                    time.sleep(0.02)

    def look_rarely(self, server):
        """So that between two looks there is always a request."""
        server.config["tls"]["reloadInterval"] = "2s"
        write_configuration(server.config_path, server.config)
        server.wait_for_log("configuration reloaded")


if __name__ == "__main__":
    main()
