"""What runs in the heads while a worker is evicted; Driver says what comes before each program."""

# A task on a worker that it knows, so that it can be seen whether it was there to its end.
TASK_SECONDS = 20
TASK = f"""
@ray.remote(num_cpus=1, max_retries=0)
def work(seconds):
    time.sleep(seconds)
    return here()
where = ray.get(work.remote(0))
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
node = [each["NodeID"] for each in ray.nodes() if each["NodeManagerAddress"] == where][0]
task = work.options(scheduling_strategy=On(node, soft=False)).remote({TASK_SECONDS})
began = time.time()
say(where=where)
how = outcome(task)
say(task="finished" if how == where else how, seconds=round(time.time() - began, 1))
"""

CALL_SECONDS = 12
# A detached actor and one that the driver holds, on one worker; a call runs in each, and somebody
# asks the detached one again and again until it answers from elsewhere.
ACTORS = f"""
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
@ray.remote(num_cpus=0.5, max_restarts=1, max_concurrency=4)
class Keeper:
    def where(self):
        return here()
    def node(self):
        return ray.get_runtime_context().get_node_id()
    def work(self):
        time.sleep({CALL_SECONDS})
        return "finished"
keeper = Keeper.options(name="keeper", lifetime="detached").remote()
node = ray.get(keeper.node.remote())
held = Keeper.options(scheduling_strategy=On(node, soft=True)).remote()
first = ray.get(held.where.remote())
calls = [keeper.work.remote(), held.work.remote()]
say(where=first)
began = last = time.time()
failed, gap, where = 0, 0, first
while where == first and time.time() - began < 150:
    try:
        where = ray.get(keeper.where.remote(), timeout=5)
        gap, last = max(gap, time.time() - last), time.time()
    except Exception:
        failed += 1
    time.sleep(0.1)
detached, owned = map(outcome, calls)
say(detached=detached, owned=owned, elsewhere=where != first, failed=failed, gap=round(gap, 1),
    seconds=round(last - began, 1))
ray.kill(keeper)
"""

# One bundle per worker; a task runs in one of them.
BUNDLES = f"""
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy as In
group = placement_group([{{"CPU": 1}}] * 2, strategy="STRICT_SPREAD")
ray.get(group.ready())
@ray.remote(num_cpus=1, max_retries=0)
def work(seconds):
    time.sleep(seconds)
    return here()
bundle = In(group, placement_group_bundle_index=0)
where = ray.get(work.options(scheduling_strategy=bundle).remote(0))
task = work.options(scheduling_strategy=bundle).remote({CALL_SECONDS})
say(where=where)
began = time.time()
how = outcome(task)
now = where
while now == where and time.time() - began < 240:
    try:
        now = ray.get(work.options(scheduling_strategy=bundle).remote(0), timeout=10)
    except Exception:
        pass
    time.sleep(0.5)
say(task="finished" if how == where else how, elsewhere=now != where,
    seconds=round(time.time() - began, 1))
"""

# Two replicas, eight clients of the head's proxy until they are told to end.
SERVE = """
import asyncio, collections, urllib.request
from ray import serve
@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 1})
class Answer:
    async def __call__(self, request):
        await asyncio.sleep(0.2)
        return here()
serve.run(Answer.bind())
answers, errors, done = collections.Counter(), collections.Counter(), []
def client():
    while not done:
        try:
            with urllib.request.urlopen("http://127.0.0.1:8000/", timeout=20) as answer:
                answers[answer.read().decode()] += 1
        except Exception as error:
            errors[str(error)[:60]] += 1
            time.sleep(0.1)
clients = [threading.Thread(target=client) for _ in range(8)]
for each in clients:
    each.start()
while len(answers) < 2:
    time.sleep(0.2)
say(where=sorted(answers)[0])
sys.stdin.readline()
done.append(True)
for each in clients:
    each.join()
say(answers=answers, errors=errors)
serve.shutdown()
"""
