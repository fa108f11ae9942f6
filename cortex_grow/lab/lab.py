"""The lab: every stand-in of one folder of answers, started and stopped together."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from cortex_grow.lab import samples
from cortex_grow.lab.crtsh import Crtsh
from cortex_grow.lab.dns import Dns, DnsServer
from cortex_grow.lab.faults import Fault, Faults
from cortex_grow.lab.http import HttpServer, Reply, Request
from cortex_grow.lab.rdap import Rdap
from cortex_grow.lab.samples import Sample
from cortex_grow.lab.service import HttpService, Service, missing
from cortex_grow.lab.tcp import HOST
from cortex_grow.lab.urlhaus import URLhaus
from cortex_grow.lab.virustotal import VirusTotal
from cortex_grow.lab.whois import Whois, WhoisServer

SERVICES: tuple[type[Service], ...] = (VirusTotal, URLhaus, Crtsh, Rdap, Whois, Dns)
DEMO = Path(__file__).parent / "data" / "demo"
_KEPT = 100_000
_BULK = "cdn-update.example"  # the demo's name that many others can be made of


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that came in. ``status``: HTTP status (0: none was sent), DNS rcode, or what a WHOIS client got.

    ``params`` are query and form together; headers are never kept, since they carry keys. ``samples`` are the recorded
    answers that went out.
    """

    service: str
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    status: int | str = 200
    samples: tuple[str, ...] = ()


class Lab:
    """Stand-ins for the outside services on loopback, for the demo and the tests.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. ``misbehave`` sets a fault for every service
    (:mod:`cortex_grow.lab.faults` lists them), ``quota`` how many requests a key of a service may make, ``ports`` the
    port of a service where the kernel shall not choose, ``bulk`` how many more domains the demo shall know (listed in
    ``bulk``; each is answered as its ``cdn-update.example`` is, but for DNS: seeds for a benchmark).
    Everything binds to 127.0.0.1 only.
    """

    def __init__(
        self,
        folder: Path,
        misbehave: str | None = None,
        quota: Mapping[str, int] | None = None,
        ports: Mapping[str, int] | None = None,
        bulk: int = 0,
    ) -> None:
        self._faults = Faults()
        self._lock = threading.Lock()
        self._log: deque[Logged] = deque(maxlen=_KEPT)
        self._counts: Counter[str] = Counter()
        self._asked: set[str] = set()
        read = samples.read(folder, [kind.name for kind in SERVICES])
        self.folder = folder
        self.bulk = [f"seed-{number:05d}.example" for number in range(bulk)]
        self.skipped: dict[str, str] = read.skipped
        self._samples = [sample for found in read.samples.values() for sample in found]
        for found in read.samples.values():
            about = [sample for sample in found if _BULK in f"{sample.path} {sample.params}".lower()]
            found += [sample.renamed(_BULK, name) for name in self.bulk for sample in about]
        self.services: dict[str, Service] = {kind.name: kind(read.samples[kind.name]) for kind in SERVICES}
        self._servers: dict[str, HttpServer | WhoisServer | DnsServer] = {}
        for name, service in self.services.items():
            self._servers[name] = self._server(service, (ports or {}).get(name, 0))
        for name, most in (quota or {}).items():
            self.quota(name, most)
        if misbehave:
            self.misbehave(None, misbehave)

    @classmethod
    def demo(cls, **how: Any) -> Lab:
        """The project's own answers: one made-up story on documentation names and addresses."""
        return cls(DEMO, **how)

    @classmethod
    def replay(cls, folder: str | Path, **how: Any) -> Lab:
        """Recorded answers. Raises :class:`~cortex_grow.lab.samples.TableError` for a sample without a request."""
        return cls(Path(folder), **how)

    # --- life ---

    def start(self) -> Lab:
        """Begin to serve."""
        for server in self._servers.values():
            server.start() if isinstance(server, DnsServer) else server.tcp.start()
        return self

    def stop(self) -> None:
        """Stop serving and close every connection."""
        for server in self._servers.values():
            server.stop() if isinstance(server, DnsServer) else server.tcp.stop()

    def __enter__(self) -> Lab:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- what a client needs ---

    def where(self, service: str) -> str:
        """``127.0.0.1:port`` of a service. Raises :class:`KeyError` for an unknown one."""
        return f"{HOST}:{self._servers[service].tcp.port}"

    def url(self, service: str) -> str:
        """``http://127.0.0.1:port`` of a service."""
        return f"http://{self.where(service)}"

    def definitions(self) -> list[str]:
        """The names of the definitions that the lab can serve."""
        return sorted({name for service in self.services.values() for name in service.definitions})

    def config_for(self, definition: str, premium: bool = False) -> dict[str, Any]:
        """The configuration items that make a definition ask this lab; name or id (``VirusTotal_Pivot_1_0``).

        ``Grow`` gets those of all the others, each behind the name of its definition (``virustotal_pivot_url``).
        ``premium`` hands out the key of a paying customer. Raises :class:`KeyError` for a definition that the lab
        cannot serve.
        """
        items: dict[str, Any] = {}
        if _bare(definition) == "Grow":
            for name in self.definitions():
                items.update(
                    {f"{name.lower()}_{item}": value for item, value in self.config_for(name, premium).items()}
                )
            return items
        for service in self._serving(definition):
            items.update(service.config(self.where(service.name), premium))
        return items

    def seeds(self, definition: str, data_type: str) -> list[str]:
        """The values of this data type that the services of a definition know; of ``file``, paths of files."""
        serving = self._serving(definition)
        wanted = "hash" if data_type == "file" else data_type
        able = [service for service in serving if wanted in service.data_types]
        if data_type == "file":
            able = [service for service in able if service.whole_files]
        known = list(dict.fromkeys(value for service in able for value in service.seeds(wanted)))
        if data_type == "file":
            here = sorted((self.folder / "files").glob("*"))
            return [str(path) for path in here if hashlib.sha256(path.read_bytes()).hexdigest() in known]
        return known

    def questions(self, service: str) -> list[str]:
        """The paths (of WHOIS: the queries) that a service has answers for."""
        return list(dict.fromkeys(sample.path for sample in self._samples if sample.service == service))

    def seeds_for(self, definition: str, data_type: str, kind: str = "found") -> str:
        """One value of this data type that is found, or (``not-found``) one that no service knows.

        Raises :class:`KeyError` where there is none: the definition, or the type for it, is not served.
        """
        if kind == "not-found":
            self._serving(definition)
            return missing(data_type)
        known = self.seeds(definition, data_type)
        if kind != "found" or not known:
            raise KeyError(f"no {kind} {data_type} for {definition} in {self.folder}")
        return known[0]

    def _serving(self, definition: str) -> list[Service]:
        name = _bare(definition)
        serving = [service for service in self.services.values() if name in service.definitions]
        if not serving:
            raise KeyError(f"the lab cannot serve {definition}; it can serve {', '.join(self.definitions())}")
        return serving

    # --- orders ---

    def misbehave(self, service: str | None, kind: str | None, **how: Any) -> None:
        """Make a service (``None``: all of them) misbehave from now on, or (``kind`` ``None``) behave again.

        ``how``: ``seconds``, ``size``, ``retry_after``, ``times`` (:class:`~cortex_grow.lab.faults.Fault`). Raises
        :class:`ValueError` for a kind that the service's protocol cannot show.
        """
        for name in [service] if service else list(self.services):
            self._faults.set(name, self.services[name].protocol, Fault(kind, **how) if kind else None)

    def quota(self, service: str, most: int | None) -> None:
        """Let each key of a service make ``most`` more requests; ``None``: as many as it likes."""
        served = self.services[service]
        if not isinstance(served, HttpService):
            raise ValueError(f"{service} has no quota")
        served.set_quota(most)

    def prefer(self, sample: str) -> None:
        """Serve this sample (``service/file``) where several answer the same request. Raises :class:`KeyError`."""
        if not self.services[sample.split("/")[0]].prefer(sample):
            raise KeyError(f"{sample} is not served")

    # --- what happened ---

    @property
    def requests(self) -> list[Logged]:
        """What came in, oldest first (the last 100,000)."""
        with self._lock:
            return list(self._log)

    def counts(self) -> dict[str, int]:
        """How many requests each service got."""
        with self._lock:
            return {name: self._counts[name] for name in self.services}

    def unasked(self) -> list[str]:
        """The samples that nobody has asked for and that a question of this pack could ask for, as ``service/file``."""
        with self._lock:
            return sorted(sample.name for sample in self._samples if not sample.idle and sample.name not in self._asked)

    def idle(self) -> dict[str, str]:
        """The samples that no question of this pack asks for, served or not, each with the reason."""
        return {**self.skipped, **{sample.name: sample.idle for sample in self._samples if sample.idle}}

    def _note(self, row: Logged) -> None:
        with self._lock:
            self._log.append(row)
            self._counts[row.service] += 1
            self._asked.update(row.samples)

    def _server(self, service: Service, port: int) -> HttpServer | WhoisServer | DnsServer:
        name = service.name

        def take() -> Fault | None:
            return self._faults.take(name)

        if isinstance(service, HttpService):

            def http(request: Request, reply: Reply, status: int) -> None:
                params = {**request.query, **request.form}
                self._note(Logged(name, request.method, request.path, params, status, reply.samples))

            return HttpServer(name, take, service.answer, http, port)
        if isinstance(service, Whois):

            def whois(line: str, sample: Sample | None, status: str) -> None:
                self._note(Logged(name, "WHOIS", line, {}, status, (sample.name,) if sample else ()))

            return WhoisServer(service, take, whois, port)
        assert isinstance(service, Dns)
        files = tuple(sample.name for sample in self._samples if sample.service == name)

        def dns(over: str, asked: str, rdtype: str, status: str) -> None:
            self._note(Logged(name, over, asked, {"type": rdtype}, status, files))

        return DnsServer(service, take, dns, port)


def _bare(definition: str) -> str:
    return re.sub(r"_\d+(_\d+)*$", "", definition)
