import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.config import load, load_lock, parse
from edged.config.document import MAX_BYTES, read_document, write_document
from edged.config.effective import effective
from edged.config.sections import (
    CameraConfig,
    Config,
    FakeLockConfig,
    FolderSource,
    GpiodLockConfig,
    UrlSource,
)
from edged.errors import ConfigError

SMALL = """\
site: hq
door_id: front
camera: {source: {type: v4l2, device: /dev/video0}}
door: {lock: {driver: gpiod, chip: gpiochip0, line: 17, active: high, power: fail_secure}}
"""
NO_CAMERA = SMALL.replace("camera:", "# camera:")
NO_DOOR = SMALL.replace("door:", "# door:")
URL = NO_CAMERA + "camera: {source: {type: url, url: 'rtsp://cam/1'"
BASE = Path("/etc/edged")


def problems(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, base=BASE, environ=environ)
    assert caught.value.exit_code == 78
    return list(caught.value.problems)


def value_of(config: Config, path: str) -> Any:
    value: Any = config
    for key in path.split("."):
        value = getattr(value, key)
    return value


test_ok = [
    ("", "camera.max_frame_age_ms", 500),
    ("", "gallery.key_file", BASE / "var/vault.key"),
    ("decision:", "decision.confirm_frames", 3),  # a section whose keys are all commented out
    ("security: {target_fpir: 1e-3}", "security.target_fpir", 0.001),
    ("security: {target_fpir: 1.5e-4}", "security.fpir", 0.00015),
    ("security: {target_fpir: 1.5e-4}", "security.level", None),
    ("security: {level: secure}", "security.fpir", 0.0001),
    ("security: {frames_per_visit: 30}", "security.level", "normal"),
    ("", "security.fpir", 0.001),
    ("quality: {min_face_px: 80}", "quality.min_face_px", 80.0),
    ("models: {threads: 0x2}", "models.threads", 2),
    ("models: {directory: /srv/models}", "models.directory", Path("/srv/models")),
    ("models: {directory: ~/models}", "models.directory", Path.home() / "models"),
    ("models: {directory: ../models}", "models.directory", BASE / "../models"),
    ("models: {directory: modèles}", "models.directory", BASE / "modèles"),
    ("models: {providers: [CPUExecutionProvider]}", "models.providers", ("CPUExecutionProvider",)),
    ("mqtt: {username: ~}", "mqtt.username", None),
    ("mqtt: {username: null}", "mqtt.username", None),
    ("mqtt: {username: no}", "mqtt.username", "no"),  # YAML 1.1 would read false
    ("mqtt: {username: 010}", "mqtt.username", "010"),  # YAML 1.1 would read 8
    ("mqtt: {username: 12:30}", "mqtt.username", "12:30"),  # YAML 1.1 would read 750
    ("mqtt: {username: 2026-11-22}", "mqtt.username", "2026-11-22"),  # YAML 1.1 would read a date
    ("mqtt: {tls: {}}", "mqtt.tls.ca_file", None),
    ("mqtt: {tls: {ca_file: ca.pem}}", "mqtt.tls.ca_file", BASE / "ca.pem"),
    ("access: {groups: {staff: []}}", "access.groups", {"staff": []}),
    ("http: {port: 0}", "http.port", 0),
]


@pytest.mark.parametrize(("text", "path", "expected"), test_ok)
def test_values_that_are_accepted(text: str, path: str, expected: object) -> None:
    value = value_of(parse(SMALL + text, base=BASE), path)
    assert value == expected
    assert type(value) is type(expected)


test_fail = [
    # wrong types
    ("models: {threads: true}", "models.threads: expected int or auto, got True"),
    ("models: {threads: 2.0}", "models.threads: expected int or auto, got 2.0"),
    ("models: {threads: '2'}", "models.threads: expected int or auto, got '2'"),
    ("models: {threads:}", "models.threads: expected int or auto, got nothing"),
    ("models: {threads: 0}", "models.threads: expected int >= 1 or auto, got 0"),
    ("decision: {min_margin: true}", "decision.min_margin: expected float, got True"),
    ("decision: {min_margin: .nan}", "decision.min_margin: expected a finite number, got nan"),
    ("quality: {min_face_px: .inf}", "quality.min_face_px: expected a finite number, got inf"),
    ("quality: {min_face_px: 1e999}", "quality.min_face_px: expected a finite number, got inf"),
    ("decision: {min_margin: 2}", "decision.min_margin: expected float <= 1.0, got 2"),
    ("decision: {armed: yes}", "decision.armed: expected bool, got 'yes'; write true or false"),
    ("decision: {armed: 1}", "decision.armed: expected bool, got 1; write true or false"),
    ("decision: [1]", "decision: expected a mapping, got [1]"),
    ("models: {providers: []}", "models.providers: expected list of length >= 1, got []"),
    ("models: {providers: [1]}", "models.providers[0]: expected one of CPUExecutionProvider"),
    ("models: {providers: [CUDAProvider]}", "did you mean 'CUDAExecutionProvider'?"),
    ("models: {directory: 7}", "models.directory: expected a path, got 7"),
    ("models: {directory: ''}", "models.directory: expected a path, got ''"),
    ('models: {directory: "a\\0b"}', "models.directory: expected printable text, got 'a\\x00b'"),
    ("models: {directory: ~nobody-of-that-name/x}", "models.directory: whose home directory is that?"),
    ('mqtt: {host: "a\\nb"}', "mqtt.host: expected printable text, got 'a\\nb'"),
    ('mqtt: {topic_prefix: "edged\\n"}', "mqtt.topic_prefix: expected printable text"),
    ("mqtt: {topic_prefix: 'a/#'}", "mqtt.topic_prefix: expected text matching regex"),
    ("access: {schedules: []}", "access.schedules: expected mapping, got []"),
    ("access: {groups:}", "access.groups: expected mapping, got nothing"),
    ("access: {groups: {'a b': []}}", "access.groups.a b: expected text matching regex"),
    ("access: {schedules: {day: [{days: [mon], from: 8:00, to: '18:00'}]}}",
     "access.schedules.day[0].from: expected text matching regex"),
    ("access: {schedules: {day: [{days: [], from: '08:00', to: '18:00'}]}}",
     "access.schedules.day[0].days: expected list of length >= 1, got []"),
    # unknown and missing keys
    ("decission: {}", "decission: unknown key; did you mean 'decision'?"),
    ("decision: {confirm_framez: 3}", "decision.confirm_framez: unknown key; did you mean 'confirm_frames'?"),
    ("decision: {target_fpir: 1e-3}",
     "decision.target_fpir: unknown key; did you mean 'security.target_fpir'?"),
    ("decision: {target_fpri: 1e-3}", "unknown key; did you mean 'security.target_fpir'?"),
    ("decision: {levle: secure}", "decision.levle: unknown key; known: "),
    ("security: {armed: true}", "security.armed: unknown key; did you mean 'decision.armed'?"),
    ("http: {qqq: 3}", "http.qqq: unknown key; known: address, enabled, port"),
    ("logging: {level: warn}",
     "logging.level: expected one of debug, info, warning, error, got 'warn'; did you mean 'warning'?"),
    ("mqtt: {password: hunter2}", "mqtt.password: unknown key; did you mean 'password_file'?"),
    ("mqtt: {tls:}", "mqtt.tls: is empty; write {} for its defaults, or leave the key out"),
    ("security: {level: secret}", "expected one of convenience, normal, secure, most_secure, got 'secret'; "
     "did you mean 'secure'?"),
    ("security: {target_fpir: 0.5}", "security.target_fpir: expected float <= 0.1, got 0.5"),
    ("security: {frames_per_visit: 0}", "security.frames_per_visit: expected int >= 1, got 0"),
    # contradictions
    ("security: {level: secure, target_fpir: 1e-4}",
     "security.target_fpir: give either it or security.level, not both"),
    ("decision: {confirm_frames: 6}", "decision.confirm_frames: must not exceed decision.window_frames (5)"),
    (
        "liveness: {mode: required, cues: []}",
        "liveness.pack: missing, and liveness.cues is empty: with mode required something has to be measured",
    ),
    (
        "liveness: {mode: advisory, cues: [parallax]}",
        "liveness.cues: parallax alone knows a stiff picture that moves, and nothing of one that is held "
        "still; give liveness.pack or another cue as well",
    ),
    (
        "liveness: {challenge: turn}\nquality: {max_yaw_degrees: 30}",
        "quality.max_yaw_degrees: 30, but liveness.challenge needs 35: a head that is turned as asked would "
        "not be recognised",
    ),
    ("liveness: {cues: [border, border]}", "liveness.cues: names a cue twice"),
    (
        "liveness: {mode: required, threshold: 0}",
        "liveness.threshold: 0 lets everything pass; mode: advisory says so plainly",
    ),
    ("quality: {min_brightness: 240}", "quality.min_brightness: must be below quality.max_brightness (235)"),
    ("mqtt: {password_file: x}", "mqtt.username: missing, but mqtt.password_file is given"),
    ("mqtt: {tls: {key_file: x}}", "mqtt.tls: certificate_file and key_file belong together"),
    ("home_assistant: {plain_unlock: true}", "home_assistant.plain_unlock: needs home_assistant.enabled"),
    (
        "home_assistant: {enabled: true, plain_unlock: true}",
        "home_assistant.plain_unlock: needs mqtt.username or mqtt.tls.certificate_file",
    ),
    ("home_assistant: {enabled: true}\nmqtt: {enabled: false}", "home_assistant.enabled: needs mqtt.enabled"),
    ("home_assistant: {enabled: true, discovery_prefix: edged}", "home_assistant.discovery_prefix: must"),
    ("mqtt: {reconnect_min_seconds: 90}", "mqtt.reconnect_min_seconds: must not exceed"),
    ("access: {time_zone: Europe/Pariss}", "got 'Europe/Pariss'; did you mean 'Europe/Paris'?"),
    ("access: {groups: {staff: [nights]}}",
     "access.groups.staff: schedule 'nights' is not defined in access.schedules"),
    ("access: {schedules: {day: [{days: [mon], from: '08:00', to: '18:00'}]}}", "access.groups: missing"),
    ("access: {groups: {all: [day]}, schedules: {day: [{days: [mon], from: '08:00', to: '08:00'}]}}",
     "access.schedules.day[0]: from and to are equal (08:00)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), test_fail)
def test_values_that_are_refused(text: str, expected: str) -> None:
    found = problems(SMALL + text)
    assert len(found) == 1
    assert expected in found[0]


test_fail_whole = [
    ("", "site: missing"),
    ("# nothing but a comment\n", "site: missing"),
    ("- a\n- b\n", "expected a mapping of sections, got a list"),
    ("edged", "expected a mapping of sections, got a str"),
    ("a: b: c", "line 1, column 5: not YAML"),
    ("a: [1", "not YAML"),
    ("a: \x07", "not YAML"),
    ("--- {}\n--- {}\n", "not YAML: but found another document"),
    ("site: !!int hq", "tags (!name) are not supported"),
    ("site: !!python/object/apply:os.system [true]", "tags (!name) are not supported"),
    ("site: &x hq\ndoor_id: *x", "line 2, column 10: not YAML: aliases (*name) are not supported"),
    ("a: " + "[" * 30_000, "nested too deeply"),
    ("a: " + "{a: " * 10_000, "nested too deeply"),
    ("# " + "x" * MAX_BYTES, "expected at most 65536 characters"),
    (SMALL + "site: hq2", "line 5: key 'site' is given twice"),
    (SMALL + "http: {port: 1, port: 2}", "line 5: key 'port' is given twice"),
    (SMALL + "1: 2", "line 5: a key must be text; put it into quotes"),
    (SMALL + "[a]: 2", "line 5: a key must be text; put it into quotes"),
    (SMALL + "<<: {site: x}", "<<: unknown key"),
    (SMALL + "models: {threads: " + "9" * 5000 + "}", "not YAML: Exceeds the limit"),
    (NO_CAMERA, "camera: missing"),
    (NO_CAMERA + "camera:", "camera.source: missing"),
    (NO_CAMERA + "camera: {source: }", "camera.source.type: missing; one of v4l2, url, file, folder"),
    (NO_CAMERA + "camera: {source: {type: v4l}}",
     "camera.source.type: expected one of v4l2, url, file, folder, command, got 'v4l'; did you mean 'v4l2'?"),
    (NO_CAMERA + "camera: {source: {type: [1]}}", "camera.source.type: expected one of"),
    (NO_CAMERA + "camera: {rotate: 45, source: {type: file, path: x}}",
     "camera.rotate: expected one of 0, 90, 180, 270, got 45"),
    (NO_CAMERA + "camera: {source: {type: command, argv: [x], format: bgr}}",
     "camera.source.width: raw formats need it"),
    (NO_CAMERA + "camera: {source: {type: url, url: 'rtsp://user:secret@cam/1'}}",
     "camera.source.url: holds a user name or password"),
    (NO_CAMERA + "camera: {source: {type: url, url: 'rtsp://[cam/1'}}", "camera.source.url: is not a URL"),
    (NO_DOOR + "door: {lock: {driver: gpiod, chip: x, line: 1, power: fail_safe}}",
     "door.lock.active: missing"),
    (NO_DOOR + "door: {lock: {driver: gpiod, chip: x, line: true, active: low, power: fail_safe}}",
     "door.lock.line: expected int | str, got True"),
    (NO_DOOR + "door: {lock: {driver: gpiozero, pin: 17, active: low, power: fail_safe}}",
     "door.lock.active: gpiozero drives the line low"),
    (NO_DOOR + "door: {lock: {driver: fake}, unlock_seconds: 20}",
     "door.unlock_seconds: must not exceed door.max_unlock_seconds (10), got 20"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), test_fail_whole, ids=range(len(test_fail_whole)))
def test_documents_that_are_refused(text: str, expected: str) -> None:
    assert expected in "\n".join(problems(text))


def test_home_assistant_takes_no_dot_in_a_name() -> None:
    text = SMALL.replace("door_id: front", "door_id: floor.1")
    assert parse(text, base=BASE).door_id == "floor.1"
    (problem,) = problems(text + "home_assistant: {enabled: true}\n")
    assert problem.startswith("door_id: 'floor.1', but home_assistant.enabled takes letters")


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        SMALL + "site: x\nhttp: {port: no, prt: 1}\nmodels: {threads: 0}\nmqtt: {tls: {key_fil: k}}\n"
    )
    assert [problem.split(":")[0] for problem in found] == [
        "line 5", "models.threads", "mqtt.tls.key_fil", "http.prt", "http.port",
    ]  # fmt: skip


def test_a_password_in_a_refused_url_is_not_repeated() -> None:
    text = NO_CAMERA + "camera: {source: {type: url, url: 'rtp://user:secret@cam/1'}}"
    assert problems(text) == [
        "camera.source.url: expected text matching regex '^(rtsps?|https?)://', got 'rtp://***@cam/1'"
    ]


def test_what_was_got_is_cut() -> None:
    assert all(len(problem) < 200 for problem in problems(SMALL + f"mqtt: {{host: {['x' * 500] * 50}}}"))


test_environment = [
    ("mqtt: {username: edged}", "EDGED_MQTT_PASSWORD_FILE", "mqtt.password_file"),
    ("mqtt: {username: edged, password_file: old}", "EDGED_MQTT_PASSWORD_FILE", "mqtt.password_file"),
    ("mqtt: {tls: {}}", "EDGED_MQTT_TLS_CA_FILE", "mqtt.tls.ca_file"),
    ("mqtt: {tls: {certificate_file: c, key_file: old}}", "EDGED_MQTT_TLS_KEY_FILE", "mqtt.tls.key_file"),
    ("", "EDGED_GALLERY_KEY_FILE", "gallery.key_file"),
]


@pytest.mark.parametrize(("text", "variable", "path"), test_environment)
def test_the_environment_gives_the_paths_of_secrets(text: str, variable: str, path: str) -> None:
    config = parse(SMALL + text, base=BASE, environ={variable: "/run/secrets/x", "EDGED_CONFIG": "c.yaml"})
    assert value_of(config, path) == Path("/run/secrets/x")


def test_the_environment_reaches_the_camera() -> None:
    environ = {"EDGED_CAMERA_SOURCE_PASSWORD_FILE": "/run/secrets/camera"}
    source = parse(URL + "}}", base=BASE, environ=environ).camera.source
    assert isinstance(source, UrlSource)
    assert source.password_file == Path("/run/secrets/camera")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("EDGED_MQTT_PASWORD_FILE", "/x", "did you mean 'EDGED_MQTT_PASSWORD_FILE'?"),
        ("EDGED_MQTT_TLS_KEY_FILE", "/x", "names no secret of a configured section"),
        ("EDGED_CAMERA_SOURCE_PASSWORD_FILE", "/x", "names no secret of a configured section"),
        ("EDGED_GALLERY_KEY_FILE", "", "gallery.key_file: expected a path, got ''"),
    ],
)
def test_the_environment_is_checked_too(variable: str, value: str, expected: str) -> None:
    (found,) = problems(SMALL, **{variable: value})
    assert expected in found


def test_secrets_may_stand_in_the_credentials_directory() -> None:
    text = SMALL + "mqtt: {username: edged, password_file: $CREDENTIALS_DIRECTORY/mqtt}"
    config = parse(text, base=BASE, environ={"CREDENTIALS_DIRECTORY": "/run/credentials/edged"})
    assert config.mqtt.password_file == Path("/run/credentials/edged/mqtt")
    assert problems(text) == [
        "mqtt.password_file: $CREDENTIALS_DIRECTORY is not set; LoadCredential= of systemd sets it"
    ]


def test_a_file_is_read_with_its_own_folder_as_base(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("\ufeff" + SMALL, encoding="utf-8")
    assert load(path, {}).journal.path == tmp_path / "var/journal.db"


def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("site: caf\xe9".encode("latin-1"))
    for path in (tmp_path, latin):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(path, {})
    with pytest.raises(ConfigError, match="no such file; name another"):
        load(tmp_path / "none.yaml", {})
    with pytest.raises(ConfigError, match="65536 characters"):
        load(Path("/dev/zero"), {})


def test_what_is_shown_is_read_back_unchanged() -> None:
    text = (
        SMALL
        + "mqtt: {tls: {}, username: '1e5', client_id: 'no'}\naccess: {groups: {a: []}, schedules: {b: []}}"
    )
    config = parse(text, base=BASE)
    assert parse(write_document(effective(config)), base=Path("/elsewhere")) == config


# Alphabets are spelt out: the library's table of all characters takes seconds to build.
PRINTABLE = st.text(" aZ09äß漢\u00a0🚪.:-_#&*!|>%@`'\"\\{}[],?\n\t")
QUICK = settings(max_examples=60, deadline=None)  # deadlines fail on a machine that is busy
NEARLY_PLAIN = st.text("0123456789eE.+-:~nulltrue")
KEYS = st.text(string.ascii_letters + "0123456789_:~", max_size=8)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | PRINTABLE | NEARLY_PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@QUICK
@given(mapping=st.dictionaries(KEYS, PLAIN, max_size=4))
def test_documents_survive_a_round_trip(mapping: dict[str, Any]) -> None:
    assert read_document(write_document(mapping)) == (mapping, [])


@QUICK
@given(
    text=PRINTABLE | st.text("{}[]:,&*!|>-? \n\"'#%@`ab1") | st.from_regex(r"(site|camera|door|mqtt): [ -~]*")
)
def test_no_text_breaks_the_reader(text: str) -> None:
    assert problems(text)  # none of these is whole


def test_kinds_are_chosen_by_their_tag() -> None:
    text = SMALL.replace("{type: v4l2, device: /dev/video0}", "{type: folder, path: photos, fps: 2}")
    config = parse(text, base=BASE)
    assert config.camera.source == FolderSource(path=BASE / "photos", fps=2.0)
    assert isinstance(config.door.lock, GpiodLockConfig)


@pytest.mark.parametrize(
    "rest", ["", "site: {}\n", "decision: {target_fpri: 1}\n", "door_id: 7\ncamera: none\n"]
)
def test_the_lock_alone_is_read_from_a_file_with_mistakes_elsewhere(tmp_path: Path, rest: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"door: {{lock: {{driver: fake, trace_path: lock.jsonl}}, unlock_secnods: 3}}\n{rest}")
    assert load_lock(path) == FakeLockConfig(trace_path=tmp_path / "lock.jsonl")


@pytest.mark.parametrize(
    "broken", ["mqtt: [", "mqtt: {a: 1", "site: 'hq", "\tsite: hq", "site: !!python/x y"]
)
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "door",
    ["door: {lock: {driver: fake, trace_path: a}}", "door:\n  lock:\n    driver: fake\n    trace_path: a"],
)
def test_the_lock_is_read_from_a_file_that_is_no_yaml_elsewhere(
    tmp_path: Path, broken: str, order: int, door: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("\n".join([broken, door, "http: {}"][::order]) + "\n")
    with pytest.raises(ConfigError):
        load(path)
    assert load_lock(path) == FakeLockConfig(trace_path=tmp_path / "a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "site: a\n",
        "door: 3\n",
        "door: {lock: {driver: gpiod}}\n",
        "door: {lock: {driver: nought}}\n",
        "door: [",
    ],
)
def test_a_lock_that_is_not_described_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"door|not YAML"):
        load_lock(path)


def test_contradictions_are_told_beside_mistakes_elsewhere() -> None:
    text = SMALL.replace("line: 17, active: high, power: fail_secure}", "line: 17, active: high}") + (
        "decision: {confirm_frames: 9}\naccess: {groups: {staff: [ofice]}}\nmqtt: {protocol: 5}\n"
        "camera2: {}\n"
    )
    found = problems(text)
    assert [line.split(":")[0] for line in found] == [
        "camera2", "door.lock.power", "mqtt.protocol", "decision.confirm_frames", "access.groups.staff",
    ]  # fmt: skip
    assert '"5"' in found[2]


@pytest.mark.parametrize(
    "text", ['a: "\\U99999999"', f"a: {'9' * 5000}", f"http: {{port: 0x{'f' * 60_000}}}"]
)
def test_numbers_beyond_all_bounds_are_a_problem_like_any_other(text: str) -> None:
    assert problems(text)


def test_a_key_that_no_terminal_should_be_sent_is_spelt_out() -> None:
    (found, *_) = problems('"a\\ud800\\e[31m\\n": 1')
    assert found.startswith(r"a\ud800\x1b[31m\n: unknown key")


def test_a_file_of_nothing_but_mistakes_is_told_in_a_hundred_lines() -> None:
    found = problems("\n".join("k: 1" for _ in range(5000)))
    assert len(found) == 101
    assert found[-1].startswith("... and ")


def test_by_default_a_camera_is_lost_within_three_seconds_and_back_within_ten() -> None:
    camera = CameraConfig(source=UrlSource(url="rtsp://camera/1"))
    source = camera.source
    assert isinstance(source, UrlSource)
    assert source.read_timeout_ms < 3000
    assert camera.no_frame_timeout_ms <= 3000
    # The attempt that runs as it comes back, the longest pause, and three seconds to the first picture.
    assert source.read_timeout_ms + camera.reconnect_max_ms + 3000 <= 10_000
