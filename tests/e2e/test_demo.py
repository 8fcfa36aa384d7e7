"""The demo as a newcomer sees it."""

from pathlib import Path

import pytest

from tests.e2e.door import edged

pytestmark = pytest.mark.timeout(200)


def test_without_weights_it_says_what_it_needs(tmp_path: Path) -> None:
    done = edged("demo", "--folder", "demo", "--http-port", 0, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "edged models info yunet" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.weights
def test_people_come_in_strangers_do_not_and_the_door_stays_to_be_asked(
    tmp_path: Path, weights_dir: Path, photos_dir: Path
) -> None:
    people = tmp_path / "photos"
    for name in ("Tony_Blair", "Colin_Powell"):
        (people / name).mkdir(parents=True)
        for photo in sorted((photos_dir / "images" / name).iterdir())[:5]:
            (people / name / photo.name).symlink_to(photo)
    (people / "Stranger").mkdir()
    stranger = next((photos_dir / "images" / "Tara_Reid").iterdir())
    (people / "Stranger" / stranger.name).symlink_to(stranger)
    options = ("--photos", people, "--weights", weights_dir, "--folder", "demo", "--http-port", 0)
    for _ in range(2):  # a second run starts afresh
        done = edged("demo", *options, cwd=tmp_path)
        assert "granted  Colin Powell" in done.stdout
        assert "granted  Tony Blair" in done.stdout
        assert "denied   unknown" in done.stdout
        assert done.stdout.count("lock     unlocked") == done.stdout.count("lock     locked after") == 2
        assert "event/attendance" in done.stdout
        assert "2 let in" in done.stdout
    verified = edged("events", "verify", "--config", "demo/config.yaml", cwd=tmp_path)
    assert "whole and unaltered" in verified.stdout
