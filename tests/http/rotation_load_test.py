"""A hundred rotations of CA and leaf while two replicas are called."""

import time

from secret_api import FAST, ApiLoad, Case, SecretServer
from server_process import SANITIZED, main

ROTATIONS = 30 if SANITIZED else 100


class RotationLoadTest(Case):
    def test_a_hundred_rotations_under_load(self):
        with SecretServer(self.api, lag=0.5, **FAST) as first, \
                SecretServer(self.api, lag=0.5, **FAST) as second:
            servers = (first, second)
            self.all_quiet(*servers)
            loads = [ApiLoad(server, clients=2, keep_alive=kept) for server in servers
                     for kept in (False, True)]
            for load in loads:
                load.__enter__()
            try:
                def count(result):
                    return sum(server.rotations(result) for server in servers)
                end = time.monotonic() + 240
                while count("renewed") + count("ca_changed") < ROTATIONS and \
                        not any(load.problems for load in loads) and time.monotonic() < end:
                    time.sleep(0.1)
            finally:
                for load in loads:
                    load.__exit__()
            self.assertEqual([load.problems for load in loads], [[]] * 4)
            self.assertGreaterEqual(count("renewed") + count("ca_changed"), ROTATIONS)
            self.assertGreaterEqual(count("ca_changed"), ROTATIONS // 20)
            self.assertGreater(min(load.answered for load in loads), 20)
            self.keeps_secrets(*servers)


if __name__ == "__main__":
    main()
