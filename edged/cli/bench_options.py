"""Options of ``edged bench``."""

from pathlib import Path
from typing import Annotated

import typer

LivenessOption = Annotated[
    str | None,
    typer.Option(
        help="A liveness pack, timed with every cue. Without one liveness is timed as configured, and "
        "left out where it is off."
    ),
]
ImagesOption = Annotated[
    Path | None,
    typer.Option(
        help="A video, a picture, or a folder of pictures; without it somebody walks up to a camera of "
        "640 x 480."
    ),
]
GalleryOption = Annotated[int, typer.Option(min=0, max=1_000_000, help="People to match against.")]
RoundsOption = Annotated[int, typer.Option(min=1, max=100_000, help="Frames to measure.")]
SweepFlag = Annotated[
    bool,
    typer.Option(
        "--sweep",
        help="Run float32 and int8, every number of threads, spinning, compiled files and detectors of "
        "other sizes in turns, say what this machine should run with, and measure the stages so.",
    ),
]
WriteFlag = Annotated[
    bool,
    typer.Option(
        "--write",
        help="Sweep, and put the files and threads that were chosen in force: profile.json in the models "
        "directory, see models.profile. Its frames a second are advice for camera.source.fps.",
    ),
]
PlotOption = Annotated[Path | None, typer.Option(help="Draw the stages into this SVG file.")]
FlameOption = Annotated[
    Path | None,
    typer.Option(help="Draw where one second of frames, one upon the other, goes into this SVG file."),
]
StartFlag = Annotated[
    bool,
    typer.Option(
        "--start",
        help="Measure instead how soon a door with so many people is ready after its start, how soon it "
        "decides, and what it holds in memory.",
    ),
]
SearchFlag = Annotated[
    bool,
    typer.Option(
        "--search",
        help="Measure loading and search alone, in galleries of 1,000 people and more up to --gallery, and "
        "hold each answer against float64. No models are needed; each gallery is kept in the folder for "
        "temporary files meanwhile, 4 kB a person.",
    ),
]
LimitFlag = Annotated[
    bool,
    typer.Option(
        "--limit",
        help="Print what the machine could do at most beside each network: its multiplications over the "
        "rate of a matrix product here, and which share of it is reached.",
    ),
]
IdleOption = Annotated[
    int | None,
    typer.Option(
        min=5,
        max=3600,
        metavar="SECONDS",
        help="Run a whole door, with the configured motion gate, before an empty corridor for so long; print "
        "its share of a core, and how soon the gate has somebody looked for.",
    ),
]
LatencyOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100,
        metavar="ROUNDS",
        help="Let the people of the demo come to a whole door so many times; print the time from the "
        "first usable face to the lock line.",
    ),
]
