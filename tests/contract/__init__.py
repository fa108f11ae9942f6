"""An independent reader of Cortex's and TheHive's rules, and the tests that put every worker of the pack before it.

The judge imports nothing of the package under test: what is right is read from ``reference/cortex-contract.md`` and
``reference/thehive-templates.md``; :mod:`tests.contract.rules` names file and section of each rule.

    cortex.py       reads definitions, enables workers, computes a job's configuration
    runner.py       makes job folders and starts workers: process, Docker, Kubernetes, standard input
    judge.py        reads output.json as Cortex does and says what becomes of the job
    thehive.py      reads the stored report as TheHive does
    pack.py         the pack's own, stricter rules
    scenarios.py    what a worker goes through, and what must come of it
"""
