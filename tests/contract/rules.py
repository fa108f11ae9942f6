"""Every rule that the judge knows, by name, with the place where it is written.

``contract`` is ``reference/cortex-contract.md``, ``templates`` is ``reference/thehive-templates.md``, ``design`` is
``DESIGN.md``; the number or words after it name the section. A finding names its rule, and a planted bad worker or
definition proves for each rule that the judge catches it.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFINITION_RULES: dict[str, str] = {
    # read, or not read at all
    "base-path": "contract 1.4: the folder is a clean absolute path, else every command is dropped",
    "definition-not-scanned": "contract 1.4: only <folder>/<subfolder>/*.json is read, exactly one level",
    "definition-unreadable": "contract 1.4: a file that cannot be opened ends the whole scan",
    "definition-json": "contract 1.4: a file that is not a JSON object or array of objects is skipped",
    "definition-required": "contract 1.1: name, version, description, author, url and license are strings",
    "definition-type": "contract 1.1: dockerImage, command and baseConfig are strings where present",
    "command-outside": "contract 1.4: a command outside the scanned folder is dropped without a word",
    "no-runner": "contract 1.1: a definition needs a command or an image that an active runner can start",
    # read as something else
    "data-types-emptied": "contract 1.1: an invalid dataTypeList becomes []",
    "items-emptied": "contract 1.2: one invalid configuration item empties the whole list",
    "config-emptied": "contract 1.1: an invalid config becomes {}",
    "base-config": "contract 1.1: without baseConfig the definition is absent from the page of shared settings",
    # one beside the other
    "id-duplicate": "contract 1.3: analyzers and responders share one map of ids, the last one wins",
    "id-official": "design: both packs can be installed side by side, so no id of the official pack",
    "item-duplicate": "contract 1.2, 4: an item stands once, and beside Cortex's own items",
    # enabling and starting
    "item-default": "contract 1.2: a default of the wrong type makes enabling fail",
    "command-missing": "contract 2.2: a command that is absent cannot be started",
    "command-run-bit": "contract 2.2: a command without the run bit cannot be started",
    "command-shebang": "contract 2.2: no shell and no interpreter: the file needs a shebang that exists",
}

OUTPUT_RULES: dict[str, str] = {
    # the process
    "cannot-start": "contract 2.2: the job fails and its input, secrets included, is stored",
    "never-ends": "contract 2.2: without a time limit of the worker record nothing ends the process",
    "ignores-sigterm": "contract 2.2: a time-out is one SIGTERM; a process that lives on keeps the job running",
    "holds-output": "contract 2.2: a grandchild that keeps stdout open keeps the job running",
    "input-written": "contract 3: the input folder is read-only under Kubernetes",
    # the file
    "no-output": "contract 2.2, 2.5; design, rule 1: a job always ends with its own output.json",
    "invalid-json": "contract 2.5: anything but one strict JSON text leaves the job running for ever",
    "json-limits": "contract 2.5: Jackson's and play-json's limits on length, depth and numbers",
    "success-not-boolean": "contract 2.5: anything but true is read as a failure",
    "full-not-object": "contract 2.5: full must be an object, else the job runs for ever",
    "summary-not-object": "contract 2.5: a summary that is not an object becomes {}",
    "artifacts-emptied": "contract 2.5: one member that is not an object empties the list of artifacts",
    "operations-emptied": "contract 2.5: one member that is not an object empties the list of operations",
    # one artifact
    "artifact-no-type": "contract 2.6: an artifact without a dataType string is dropped",
    "artifact-no-file": "contract 2.6: a file artifact without filename and an existing bare file name is dropped",
    "artifact-key": "contract 2.6: any other key fails the whole job",
    "artifact-value": "contract 2.6: data and message are strings, tags an array of strings, else the whole job fails",
    "artifact-tlp": "contract 2.6: tlp is a number from 0 to 3, else the whole job fails",
    "artifact-filename": "contract 2.6: a filename with a forbidden character fails the whole job",
    "artifact-term": "contract 2.6: dataType and each tag are at most 32,766 bytes, else storing the report fails",
    "artifact-empty": "contract 2.6: an artifact without data and attachment is left out of the report",
}

THEHIVE_RULES: dict[str, str] = {
    "taxonomies-dropped": "contract 8, templates 4: one bad taxonomy drops them all",
    "taxonomy-level": "contract 8, templates 4: the level is exactly info, safe, suspicious or malicious",
    "taxonomy-value": "templates 4: a value is shown as text and quoted by TheHive itself",
    "taxonomy-count": "templates 4, design: one to four; with none the tags of an earlier run stay",
    "data-type": "contract 8: an artifact of a type that TheHive does not know is skipped",
    "data-length": "contract 8: data of at most 4,096 characters",
    "tag-length": "contract 8: a tag of at most 128 characters",
    "operation-type": "contract 7.4: an unknown operation leaves the job unfinished in TheHive",
    "operation-fields": "contract 7.4: a missing or mistyped field leaves the job unfinished in TheHive",
    "operation-context": "contract 7.4: an operation works only where its entity is at hand",
}

PACK_RULES: dict[str, str] = {
    "artifact-null": "design: artifacts carry no nulls",
    "artifact-duplicate": "design: an artifact stands once (Cortex does not remove duplicates: contract 2.6)",
    "artifact-seed": "design: the seed is never its own artifact",
    "artifact-inherits": "contract 2.6: Cortex's default is 2, so each artifact states the TLP of the job",
    "artifact-count": "design, the report: at most 100 artifacts",
    "artifact-shape": "design, rule 7: an artifact is what its type says",
    "artifact-message": "design, the report: each artifact has a message of one line",
    "tag-relation": "design, the report: a relation: tag with a name of relations.toml",
    "tag-pyramid": "design, the report: one pyramid: tag with the level of the type",
    "tag-source": "design, the report: a source: tag",
    "auto-import": "design, the report: autoImport:true only when auto_import_score is set, at most 10",
    "taxonomy-verdict": "design, verdicts: the first taxonomy has the level of the report's verdict",
    "full-size": "design, the report: full stays under 5 MB",
    "full-schema": "design, the report: full is valid against report.schema.json",
    "lone-surrogate": "contract 2.5: half a surrogate pair cannot be written as UTF-8",
    "error-message": "design, rule 2: a failure says why",
    "error-source": "design, rule 2: a failure names its source",
    "error-traceback": "design, rule 2: a failure speaks to a person; the traceback goes to stderr",
    "secret": "design, rule 4: no secret in what the job leaves behind",
    "secret-printed": "design, rule 4: no secret in what the job prints, which Cortex logs (contract 2.2)",
}

RULES: dict[str, str] = {**DEFINITION_RULES, **OUTPUT_RULES, **THEHIVE_RULES, **PACK_RULES}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: its name in :data:`RULES`, where it was broken, and how."""

    rule: str
    what: str
    where: str = ""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise KeyError(f"no such rule: {self.rule}")

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"[{self.rule}] {place}{self.what} ({RULES[self.rule]})"


def names(findings: object) -> list[str]:
    """The distinct names of rules in a list of findings, sorted."""
    return sorted({finding.rule for finding in findings})  # type: ignore[attr-defined]
