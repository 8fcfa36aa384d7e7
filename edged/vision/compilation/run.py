"""``edged models compile``: rewritten, compared with the original, kept where it is the same and faster."""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from edged import __version__
from edged.config.sections import ModelsConfig
from edged.domain.types import FloatArray, Image
from edged.errors import ModelError
from edged.vision.choice import running_precision
from edged.vision.compilation.comparison import (
    WORTH_IT,
    Agreement,
    Runner,
    Speed,
    compare,
    drawn_pictures,
    race,
    tiled,
)
from edged.vision.compilation.factors import fold_factors
from edged.vision.compilation.optimization import CPU_ALONE, write_optimized
from edged.vision.compilation.pixels import take_pixels
from edged.vision.compilation.prelu import FORMS, Form, expand_prelu
from edged.vision.compilation.siblings import join_siblings
from edged.vision.compilation.sizes import any_size_model, free_size
from edged.vision.compiled import (
    FOLDER,
    MODEL,
    ORIGINAL,
    RECORD,
    Record,
    compiled_folder,
    device,
    encode_record,
    find_compiled,
)
from edged.vision.decoding import letterbox
from edged.vision.detector import FaceDetector, half_size
from edged.vision.packs import Catalogue, ModelSpec, Pack, Precision, sha256_of, verify_file
from edged.vision.quantization.folding import fold
from edged.vision.quantization.network import Network, read_network
from edged.vision.session import OrtSession, PixelSession
from edged.vision.staging import installing, put_in_place, staged
from edged.vision.tensors import AnySession, NetworkInput, feed

_ROUNDS = 80
# The processor time of one thread is what a file asks for, whoever else is at work meanwhile.
_THREADS = 1
# What a door is configured for unless somebody says otherwise.
_USUAL_FRAME = (640, 480)
_QUANTIZED = "DequantizeLinear"
_ENDLESS = 1e9
_UNTIMED = Speed((0.0, 0.0), (1.0, 1.0))

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Compilation:
    """What came of one file: ``record`` is in force, or ``reason`` says why the original runs.

    ``fresh`` tells that it was made now; ``measured`` is a comparison of speed of now, the original first;
    ``refused`` that the rewritten network was not the same function.
    """

    pack: str
    task: str
    file: str
    record: Record | None
    reason: str | None
    fresh: bool
    measured: Speed | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    form: str
    path: Path
    session: PixelSession
    agreement: Agreement


def compile_pack(
    pack: Pack,
    models: ModelsConfig,
    *,
    pictures: Sequence[Image],
    force: bool = False,
    measure: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> list[Compilation]:
    """Compile each file of ``pack`` that would run under ``models``; one that is there already stays.

    ``force`` makes it anew; ``measure`` times one that stays. ``pictures``, of faces and of any size, are
    compared on beside drawn ones: without them a detector has next to nothing to say. Raises ``ModelError``
    where a file is missing, altered or no network.
    """
    done: list[Compilation] = []
    for spec in pack.models:
        progress(f"{pack.name} {spec.task}", len(done), len(pack.models))
        job = _Job(pack, spec, running_precision(pack, spec, models), models, pictures)
        done.append(job.run(force=force, measure=measure))
        progress(f"{pack.name} {spec.task}", len(done), len(pack.models))
    return done


def _remove(folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as exc:
        raise ModelError(f"{folder}: cannot be removed: {exc.strerror or exc}") from exc


@dataclass(frozen=True, slots=True)
class _Job:
    pack: Pack
    spec: ModelSpec
    precision: Precision
    models: ModelsConfig
    given: Sequence[Image]

    def run(self, *, force: bool, measure: bool) -> Compilation:
        source = self.pack.file_path(self.spec, self.precision)
        if not source.is_file():
            missing = Catalogue(self.models.directory).place(self.pack) / source.name
            raise ModelError(f"pack {self.pack.name} is not installed: {missing} is missing")
        verify_file(source, self.spec.files[self.precision])
        kept = None if force else self._kept()
        if kept is not None:
            speed = self._speed([self._original(source), self._compiled(kept[0])]) if measure else None
            return self._outcome(kept[1], None, fresh=False, measured=speed)
        root = self.models.directory / FOLDER
        with installing(root), tempfile.TemporaryDirectory(prefix="edged-compile-") as folder:
            return self._make(source, Path(folder), root)

    def _kept(self) -> tuple[Path, Record] | None:
        try:
            found = find_compiled(self.spec, self.precision, self.models)
        except ModelError:
            return None  # made anew
        if found is None or sha256_of(found.path) != found.record.sha256:
            return None
        return found.path, found.record

    def _make(self, source: Path, folder: Path, root: Path) -> Compilation:
        original = self._original(source)
        references = [(original, self.spec.input), *self._at_other_sizes(source, folder)]
        made = [
            self._candidate(form, model, folder, references)
            for form, model in self._models(source, any_size=len(references) > 1)
        ]
        agreeing = [one for one in made if one.agreement.problem is None]
        # One that an earlier run made may have been as wrong.
        _remove(compiled_folder(self.spec, self.precision, self.models))
        if not agreeing:
            # Not tried again unasked: the same rewriting would be as wrong.
            self._install(None, self._record(ORIGINAL, source, made[0].agreement, _UNTIMED), root)
            return self._outcome(None, f"refused: {made[0].agreement.problem}", fresh=True, refused=True)
        speed = self._speed([original, *[one.session for one in agreeing]])
        best = min(range(len(agreeing)), key=lambda index: speed.ratios[index + 1])
        shown = Speed((speed.ms[0], speed.ms[best + 1]), (speed.ratios[0], speed.ratios[best + 1]))
        if shown.ratios[1] > WORTH_IT:
            reason = f"no faster here: {shown.ratios[1]:.2f} of the original's time"
            self._install(None, self._record(ORIGINAL, source, agreeing[best].agreement, shown), root)
            return self._outcome(None, reason, fresh=True, measured=shown)
        chosen = agreeing[best]
        record = self._record(chosen.form, chosen.path, chosen.agreement, shown)
        self._install(chosen.path, record, root)
        return self._outcome(record, None, fresh=True, measured=shown)

    def _at_other_sizes(self, source: Path, folder: Path) -> list[tuple[OrtSession, tuple[int, int]]]:
        """Open a detector for smaller pictures, where its network can: it computes as the original.

        ``tracked_search`` looks at pictures of half the size, and a door's frame leaves part of a square
        input black. That it is the original is seen where that runs too.
        """
        if self.spec.task != "detector":
            return []
        network = read_network(source, quantized=True)
        half = half_size(self.spec.input)
        if half is None or not free_size(network):
            return []
        path = folder / "any-size.onnx"
        onnx.save_model(any_size_model(network), path)
        try:
            freed = self._opened(path, half)
        except ModelError:
            return []
        return [(freed, half), (freed, FaceDetector(freed, self.spec, threshold=1).shown_of(_USUAL_FRAME))]

    def _models(self, source: Path, *, any_size: bool) -> list[tuple[str, onnx.ModelProto]]:
        """Return the ways to write the network, each as a model that takes pixels."""
        network = read_network(source, quantized=True)
        if any_size:
            free_size(network)
        if any(node.op_type == _QUANTIZED for node in network.nodes):
            # Other operators would round otherwise: only the pixels' way changes.
            return [("pixels", take_pixels(network, self.spec, fold=False, any_size=any_size))]
        forms = FORMS if any(node.op_type == "PRelu" for node in network.nodes) else (None,)
        return [
            written for form in forms for written in self._rewritten(network.copy(), form, any_size=any_size)
        ]

    def _rewritten(
        self, network: Network, form: Form | None, *, any_size: bool
    ) -> list[tuple[str, onnx.ModelProto]]:
        fold(network)
        name = "folded"
        if form is not None:
            expand_prelu(network, form)
            name = f"folded, PRelu as {form}"
        fold_factors(network)
        ways = [(name, network)]
        joined = network.copy()
        if join_siblings(joined):
            ways.append((f"{name}, heads joined", joined))
        # What runs on another processor has convolutions of its own, made for planes.
        interleaved = self.models.providers == CPU_ALONE
        return [
            (name, take_pixels(way, self.spec, fold=True, interleaved=interleaved, any_size=any_size))
            for name, way in ways
        ]

    def _candidate(
        self,
        form: str,
        model: onnx.ModelProto,
        folder: Path,
        references: Sequence[tuple[OrtSession, tuple[int, int]]],
    ) -> _Candidate:
        path = folder / f"{len(list(folder.iterdir()))}.onnx"
        write_optimized(model, path, self.models.providers)
        session = self._compiled(path)
        compared = [self._agreement(original, session, size) for original, size in references]
        worst = Agreement(
            max(one.deviation for one in compared),
            min(one.cosine for one in compared),
            sum(one.samples for one in compared),
        )
        return _Candidate(form, path, session, worst)

    def _agreement(self, original: OrtSession, session: PixelSession, size: tuple[int, int]) -> Agreement:
        shown = [tiled(one, size) for one in self.given]
        given = [one for faces in shown for one in (faces if self.spec.task == "detector" else faces[:1])]
        # Enrolment looks at several faces at once, where a file can.
        several = isinstance(original.input_shape[0], str)
        return compare(
            self._runner(original, mirrored=several),
            self._runner(session, mirrored=several),
            [*drawn_pictures(size), *given],
        )

    def _speed(self, sessions: Sequence[AnySession]) -> Speed:
        detector = self.spec.task == "detector"
        fit = letterbox(_USUAL_FRAME, self.spec.input)
        size = (fit.width, fit.height) if detector else self.spec.input
        # The last has most detail: in a flat picture a PRelu always goes the same way, in half the time.
        detailed = drawn_pictures(size)[-1:]
        runners = [self._as_a_door(one) if detector else self._runner(one) for one in sessions]
        # Others at work on the machine have no part in it; what is no processor has time of its own.
        clock = time.thread_time if self.models.providers == CPU_ALONE else time.perf_counter
        return race(runners, detailed, _ROUNDS, clock)

    def _as_a_door(self, session: AnySession) -> Runner:
        """Return what a door does with a frame, so that no file wins by work that none has."""
        shown = FaceDetector(session, self.spec, threshold=1).shown_of(_USUAL_FRAME)
        kept = NetworkInput(session, self.spec, shown)

        def run(picture: Image) -> list[FloatArray]:
            rows, columns = picture.shape[:2]
            kept.pixels[:rows, :columns] = picture
            return kept.run(rows)

        return run

    def _runner(self, session: AnySession, *, mirrored: bool = False) -> Runner:
        def run(picture: Image) -> list[FloatArray]:
            both = [picture, np.ascontiguousarray(picture[:, ::-1])]
            return feed(session, both if mirrored else [picture], self.spec)

        return run

    def _original(self, path: Path) -> OrtSession:
        return self._opened(path, self.spec.input, sha256=self.spec.files[self.precision].sha256)

    def _opened(self, path: Path, size: tuple[int, int], sha256: str | None = None) -> OrtSession:
        return OrtSession(
            path,
            sha256=sha256,
            threads=_THREADS,
            providers=self.models.providers,
            input_size=size,
        )

    def _compiled(self, path: Path) -> PixelSession:
        return PixelSession(
            path,
            sha256=None,
            threads=_THREADS,
            providers=self.models.providers,
            input_size=self.spec.input,
        )

    def _record(self, form: str, path: Path, agreement: Agreement, speed: Speed) -> Record:
        return Record(
            source=self.spec.files[self.precision].sha256,
            sha256=sha256_of(path),
            size=path.stat().st_size,
            form=form,
            # JSON has no infinity.
            deviation=agreement.deviation if math.isfinite(agreement.deviation) else _ENDLESS,
            cosine=agreement.cosine,
            samples=agreement.samples,
            original_ms=round(speed.ms[0], 3),
            compiled_ms=round(speed.ms[1], 3),
            ratio=round(speed.ratios[1], 3),
            threads=_THREADS,
            edged=__version__,
            onnxruntime=onnxruntime.__version__,
            device=device(),
        )

    def _install(self, path: Path | None, record: Record, root: Path) -> None:
        destination = compiled_folder(self.spec, self.precision, self.models)
        with staged(root) as folder:
            try:
                files = {RECORD: encode_record(record)}
                if path is not None:
                    files[MODEL] = path.read_bytes()
                for name, content in files.items():
                    (folder / name).write_bytes(content)
                    (folder / name).chmod(0o644)
            except OSError as exc:
                raise ModelError(f"{folder}: cannot be written: {exc.strerror or exc}") from exc
            put_in_place(folder, destination)

    def _outcome(self, record: Record | None, reason: str | None, **told: Any) -> Compilation:
        name = self.spec.files[self.precision].name
        return Compilation(self.pack.name, self.spec.task, name, record, reason, **told)
