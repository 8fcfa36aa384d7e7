"""Whatever a governor does, nobody gets in by less: a door that sheds beside one that does not."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from edged.domain.cadence import Cadence
from edged.domain.glance import Glance
from edged.domain.governor import DEEPEST, Governor
from edged.domain.types import Decision, Frame, Image, Outcome
from edged.workers.attention import Attention
from edged.workers.recognition import RecognitionSettings
from tests.unit.workers.test_recognition import Door, picture

# Who is before the camera: nobody, two who may enter, a stranger, somebody who cannot be made out.
FACES: tuple[tuple[tuple[int, int, int], ...], ...] = (
    (), ((100, 80, 0),), ((100, 80, 1),), ((100, 80, 5),), ((100, 80, 250),), ((10, 60, 0), (160, 60, 5)),
)  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """One picture: what is on it, what the gate says, the governor's level, and what a search costs."""

    faces: tuple[tuple[int, int, int], ...]
    glance: Glance
    level: int
    cost: float
    pause: float = 0.1


class ScriptedGate:
    """A gate that says what it is told to, but for a search that is due."""

    idle_fps = 5.0

    def __init__(self) -> None:
        self.says = Glance.STILL
        self._searched_at = float("-inf")

    def look(self, _image: Image, now: float) -> Glance:
        return Glance.DUE if now - self._searched_at >= 2 else self.says

    def restless(self, _now: float) -> bool:
        return False

    def searched(self, now: float) -> None:
        self._searched_at = now

    occupied = searched


class Governed(Door):
    """A door whose governor does as it is told. ``searched`` are the pictures that were."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.governor = ScriptedGate(), Governor(None)
        self.worker._attention = Attention(self.metrics, Cadence(5), self.governor)
        self.worker.settings = RecognitionSettings(0.5, self.policy, self.worker.settings.rules, self.gate)
        self.searched: list[tuple[Frame, float]] = []
        self.passed_over_while_tracking = 0

    def play(self, moments: list[Moment]) -> None:
        for moment in moments:
            self.gate.says, self.governor.level = moment.glance, moment.level
            self.seq += 1
            self.clock.now += moment.pause
            frame = Frame(self.seq, self.clock.now - 0.05, picture(*moment.faces))
            before, tracking = self.worker._searched, self.worker.busy
            with self.worker._attention.work(frame, self.clock):
                self.worker._process(frame, self.state)
            self.governor.spent(moment.glance, moment.cost, self.clock.now)
            if self.worker._searched > before:
                self.searched.append((frame, self.clock.now))
            else:
                self.passed_over_while_tracking += tracking
            self.worker._expire(self.state, self.clock.now)


def replayed(searched: list[tuple[Frame, float]], end: float) -> list[Decision]:
    """What a door without gate and governor decides that is shown these pictures alone."""
    plain = Door()
    for frame, now in searched:
        for turn in range(round((now - plain.clock.now) / 0.05)):
            plain.worker._expire(plain.state, plain.clock.now + turn * 0.05)
        plain.clock.now = now
        plain.worker._process(frame, plain.state)
        plain.worker._expire(plain.state, now)
    plain.worker._expire(plain.state, end)
    return plain.decisions


def told(decisions: list[Decision]) -> list[tuple[object, ...]]:
    return [
        (d.outcome, d.reason, d.track_id, d.person_id, d.frames, d.freshest_at, d.trace) for d in decisions
    ]


MOMENTS = st.lists(
    st.builds(
        Moment,
        st.sampled_from(FACES),
        st.sampled_from([Glance.STILL, Glance.LINGER, Glance.MOTION]),
        st.integers(0, DEEPEST),
        st.floats(0, 1),
    ),
    max_size=60,
)


@given(MOMENTS)
def test_a_governed_door_decides_as_any_other_on_the_pictures_it_searched(moments: list[Moment]) -> None:
    door = Governed()
    door.play(moments)
    door.worker._expire(door.state, float("inf"))
    assert told(door.decisions) == told(replayed(door.searched, float("inf")))


@given(MOMENTS)
def test_no_picture_is_passed_over_while_a_face_is_in_view(moments: list[Moment]) -> None:
    door = Governed()
    door.play(moments)
    assert door.passed_over_while_tracking == 0


VISITS = st.lists(
    st.tuples(
        st.sampled_from(FACES[1:]),
        st.lists(
            st.tuples(
                st.sampled_from([Glance.STILL, Glance.LINGER, Glance.MOTION]),
                st.integers(0, DEEPEST),
                st.floats(0, 1),
            ),
            min_size=1,
            max_size=25,
        ),
    ),
    max_size=6,
)


@given(VISITS)
def test_who_is_let_in_by_a_governed_door_is_let_in_by_any(
    visits: list[tuple[tuple[tuple[int, int, int], ...], list[tuple[Glance, int, float]]]],
) -> None:
    moments = []
    for faces, steps in visits:
        moments.append(Moment((), Glance.STILL, 0, 0.0, pause=3.0))  # everybody has gone
        moments += [Moment(faces, *step) for step in steps]
    governed, free = Governed(), Governed()
    governed.play(moments)
    free.play([Moment(one.faces, Glance.MOTION, 0, 0.0, one.pause) for one in moments])
    assert _let_in(governed) <= _let_in(free)


def _let_in(door: Door) -> set[str | None]:
    return {one.person_id for one in door.decisions if one.outcome is Outcome.GRANT}
