"""The configuration: which file, which value wins, where it comes from, and that no secret is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cortex_grow.cli.config import MASK, Config, ConfigError, load, places
from cortex_grow.growth.sources import sources
from cortex_grow.source.registry import named
from cortex_grow.source.settings import Settings
from tests.cli.conftest import Shell

VT = "VirusTotal_Pivot"
KEY = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


def loaded(folder: Path, text: str = "", environ: dict[str, str] | None = None) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load(sources(), path, environ or {})


def settings(config: Config, source: str = VT) -> Settings:
    return Settings(config.values(named(source)), named(source))


def test_environment_over_file_source_over_common(tmp_path: Path) -> None:
    text = f'[common]\nretry_after = 1\ndeadline = 1\n[sources.{VT}]\nretry_after = 2\ndeadline = 2\nkey = "{KEY}"\n'
    only_file = loaded(tmp_path, text)
    assert settings(only_file).number("retry_after") == 2
    assert settings(only_file, "DNS_Resolve").number("retry_after") == 1
    common = loaded(tmp_path, text, {"CORTEX_GROW_RETRY_AFTER": "3"})
    assert settings(common).number("retry_after") == 3 and settings(common).number("deadline") == 2
    assert settings(common, "DNS_Resolve").number("retry_after") == 3
    both = loaded(tmp_path, text, {"CORTEX_GROW_RETRY_AFTER": "3", "CORTEX_GROW_VIRUSTOTAL_PIVOT_RETRY_AFTER": "4"})
    assert settings(both).number("retry_after") == 4
    assert settings(both, "DNS_Resolve").number("retry_after") == 3
    assert settings(loaded(tmp_path)).number("retry_after") == 300, "the default of the declaration"
    assert settings(both).text("key") == KEY


def test_every_value_knows_where_it_comes_from(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"[sources.{VT}]\npremium = true\n", {"CORTEX_GROW_CACHE": "off"})
    entries = config.entries(named(VT))
    assert entries["premium"].origin == f"{tmp_path / 'config.toml'} [sources.{VT}]"
    assert entries["cache"].origin == "environment CORTEX_GROW_CACHE" and entries["cache"].value is False


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("CORTEX_GROW_OWN_ASSETS", "example.org, 192.0.2.0/24", ["example.org", "192.0.2.0/24"]),
        ("CORTEX_GROW_OWN_ASSETS", '["a,b"]', ["a,b"]),
        ("CORTEX_GROW_CACHE", "No", False),
        ("CORTEX_GROW_DEADLINE", "30", 30),
        ("CORTEX_GROW_READ_TIMEOUT", "2.5", 2.5),
        ("CORTEX_GROW_STATE_DIR", " /x ", "/x"),
        ("CORTEX_GROW_CACERTS", "12345", "12345"),
    ],
)
def test_variables_are_read_as_their_items_want(tmp_path: Path, name: str, text: str, value: object) -> None:
    config = loaded(tmp_path, "", {name: text})
    assert [entry.value for entry in config.common.values()] == [value]
    assert config.warnings == ()


def test_capitals_do_not_matter(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[sources.urlhaus_lookup]\napi_key = "abcdefgh12"\n')
    assert config.values(named("URLhaus_Lookup")) == {"API_Key": "abcdefgh12"} and not config.warnings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[sources.Virus_Total]\nkey='x'", "is no source that is known here; did you mean [sources.VirusTotal_Pivot]?"),
        ("[comon]\nx=1", "[comon] is no section that is known here; did you mean [common]?"),
        ("x = 1", "x stands in no section that is known here"),
        ("[common]\nown_asets = []", "[common] has no item own_asets; did you mean own_assets?"),
        ("[common]\npremium = true", "[common] has no item premium; it belongs under [sources.VirusTotal_Pivot]"),
        ("[sources.VirusTotal_Pivot]\nkye = 'x'", "[sources.VirusTotal_Pivot] has no item kye; did you mean key?"),
        ("[sources]\nVirusTotal_Pivot = 1", "[sources.VirusTotal_Pivot] is no section"),
    ],
)
def test_what_is_not_known_is_a_warning_that_names_the_nearest(tmp_path: Path, text: str, says: str) -> None:
    (warning,) = loaded(tmp_path, text).warnings
    assert warning.startswith(str(tmp_path / "config.toml")) and says in warning


def test_an_unknown_variable_is_a_warning(tmp_path: Path) -> None:
    (warning,) = loaded(tmp_path, "", {"CORTEX_GROW_VIRUSTOTAL_PIVOT_KYE": KEY}).warnings
    assert "did you mean CORTEX_GROW_VIRUSTOTAL_PIVOT_KEY?" in warning and KEY not in warning
    assert loaded(tmp_path, "", {"CORTEX_GROW_STATE": "/x", "CORTEX_GROW_SHARED": "/x", "OTHER": "1"}).warnings == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[common]\ndeadline = '5'", "[common] deadline must be a number, without quotation marks; it is a text (5)"),
        (
            "[common]\ncache = 'off'",
            "[common] cache must be true or false, without quotation marks; it is a text (off)",
        ),
        ("[common]\ncache = 1", "[common] cache must be true or false, without quotation marks; it is a number (1)"),
        ("[common]\ndeadline = true", "[common] deadline must be a number, without quotation marks; it is a boolean"),
        ("[common]\nread_timeout = nan", "[common] read_timeout must be a number"),
        ("[common]\nown_assets = [1]", "[common] own_assets must be a list of texts; it is a number (1)"),
        ("[common]\nstate_dir = ['x']", "[common] state_dir must be a text"),
        ("[common]\nstate_dir = 2026-01-01", "it is a date or time"),
        ("[sources.VirusTotal_Pivot]\nkey = 4815162342", "[sources.VirusTotal_Pivot] key must be a text in quotation"),
        ("[common\n", "is not TOML"),
    ],
)
def test_a_wrong_type_names_file_section_and_item(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert says in str(caught.value) and str(tmp_path / "config.toml") in str(caught.value)
    assert "4815162342" not in str(caught.value), "a secret is not repeated"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("CORTEX_GROW_CACHE", "perhaps", "CORTEX_GROW_CACHE must be true or false (perhaps)"),
        ("CORTEX_GROW_DEADLINE", "soon", "CORTEX_GROW_DEADLINE must be a number (soon)"),
        ("CORTEX_GROW_DEADLINE", "inf", "CORTEX_GROW_DEADLINE must be a number"),
        ("CORTEX_GROW_OWN_ASSETS", "[1", "CORTEX_GROW_OWN_ASSETS: begins with [ and is no JSON list"),
        ("CORTEX_GROW_OWN_ASSETS", "[1]", "CORTEX_GROW_OWN_ASSETS must be a list of texts"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "", {name: text})
    assert says in str(caught.value)


def test_a_file_with_a_secret_that_all_can_read_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[sources.{VT}]\nkey = "{KEY}"\n')
    for mode, warned in ((0o600, False), (0o640, False), (0o644, True)):
        path.chmod(mode)
        assert bool(load(sources(), path, {}).warnings) is warned
    path.write_text("[common]\ncache = true\n")
    assert not load(sources(), path, {}).warnings, "there is no secret in it"


def test_files_that_are_none(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ConfigError, match="no such file"):
            load(sources(), path, {})
        with pytest.raises(ConfigError, match="CORTEX_GROW_CONFIG names"):
            load(sources(), None, {"CORTEX_GROW_CONFIG": str(path)})
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load(sources(), tmp_path / "binary", {})


def test_the_first_file_that_is_there_is_read(shell: Shell) -> None:
    given = {
        "named.toml": 1,
        "from-environment.toml": 2,
        "cortex-grow.toml": 3,
        "home/.config/cortex-grow/config.toml": 4,
    }
    for name, number in given.items():
        path = shell.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[common]\ndeadline = {number}\n")
    environment = {"CORTEX_GROW_CONFIG": str(shell.folder / "from-environment.toml")}

    def deadline(*arguments: str, **environ: str) -> object:
        done = shell(*arguments, "config", "--json", **environ)
        assert done.code == 0, done.err
        return done.json["sections"]["common"]["deadline"]["value"]

    assert deadline("--config", "named.toml", **environment) == 1
    assert deadline(**environment) == 2
    assert deadline() == 3
    (shell.folder / "cortex-grow.toml").unlink()
    assert deadline() == 4
    xdg = shell.folder / "xdg"
    assert deadline(XDG_CONFIG_HOME=str(xdg)) == 240
    assert places({"XDG_CONFIG_HOME": str(xdg)})[1] == xdg / "cortex-grow" / "config.toml"


def test_secrets_are_masked_and_origins_shown(shell: Shell) -> None:
    password = "hunter2hunter2"
    (shell.folder / "cortex-grow.toml").write_text(
        f'[common]\nproxy_https = "http://me:{password}@proxy.example:3128"\n[sources.{VT}]\nkey = "{KEY}"\n'
    )
    for arguments in (("config",), ("config", "--json"), ("sources",), ("sources", "--json")):
        done = shell(*arguments, CORTEX_GROW_URLHAUS_LOOKUP_API_KEY="another-secret-key")
        assert done.code == 0, done.err
        for secret in (KEY, password, "another-secret-key", KEY[:8], KEY[-8:]):
            assert secret not in done.out + done.err, (arguments, secret)
    done = shell("config", CORTEX_GROW_URLHAUS_LOOKUP_API_KEY="another-secret-key")
    rows = [line.split() for line in done.out.splitlines()]
    assert ["sources.URLhaus_Lookup", "API_Key", MASK, "environment", "CORTEX_GROW_URLHAUS_LOOKUP_API_KEY"] in rows
    assert [f"sources.{VT}", "key", MASK, "cortex-grow.toml", f"[sources.{VT}]"] in rows
    assert "proxy.example:3128" in done.out and "warning: cortex-grow.toml: holds a secret" in done.err
    key = shell("sources", "--json").json
    assert next(row for row in key if row["name"] == VT)["key"] == {"item": "key", "present": True, "optional": False}


def test_config_path(shell: Shell) -> None:
    done = shell("config", "--path")
    assert done.code == 0 and "no file is read; one may stand at cortex-grow.toml" in done.out
    (shell.folder / "cortex-grow.toml").write_text("")
    assert shell("config", "--path").out == "cortex-grow.toml\n"


def test_a_configuration_that_cannot_be_used_ends_with_2(shell: Shell) -> None:
    (shell.folder / "cortex-grow.toml").write_text("[common]\ndeadline = 'x'\n")
    for arguments in (("config",), ("sources",), ("grow", "203.0.113.66"), ("run", VT, "203.0.113.66")):
        done = shell(*arguments)
        assert (done.code, done.out) == (2, "") and "[common] deadline must be a number" in done.err


def test_a_masked_value_is_no_length(tmp_path: Path) -> None:
    for key in ("abcd", KEY):
        config = loaded(tmp_path, f"[sources.{VT}]\nkey = {json.dumps(key)}\n")
        assert config.entries(named(VT))["key"].shown == MASK
