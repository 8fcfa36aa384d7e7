"""Options of the commands that measure: which models, which photographs, and how they are compared."""

from pathlib import Path
from typing import Annotated, Literal

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="EDGED_CONFIG",
        help="The configuration file; without one, config.yaml if it is there, else the defaults.",
    ),
]
ModelsOption = Annotated[
    Path | None,
    typer.Option(
        "--models", exists=True, file_okay=False, help="The folder of packs instead of the configured one."
    ),
]
DirectoryOption = Annotated[
    Path | None, typer.Option("--directory", help="Models directory instead of the configured one.")
]
DetectorOption = Annotated[str | None, typer.Option(help="A detector pack instead of the configured one.")]
EmbedderOption = Annotated[str | None, typer.Option(help="An embedder pack instead of the configured one.")]
PrecisionOption = Annotated[
    Literal["float32", "int8"] | None, typer.Option(help="A precision instead of the configured one.")
]
PacksOption = Annotated[
    str | None,
    typer.Option(
        "--packs",
        metavar="A,B,...",
        help="Packs side by side instead of one: EMBEDDER, DETECTOR+EMBEDDER, or a pack that holds both; "
        "then, if wished, :float32 or :int8.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="What is drawn is the same for each seed.")]
MirrorOption = Annotated[
    Literal["none", "enrolment", "both"],
    typer.Option(
        "--mirror",
        help="Take the mean of a face's vector and its mirror image's: of enrolled photographs, or of all. "
        "1:1 knows none or all. The packs' thresholds were measured without.",
    ),
]
FloorOption = Annotated[
    bool,
    typer.Option(
        "--quality-floor", help="Count a photograph below the configured quality floor as one without a face."
    ),
]
ImagesOption = Annotated[Path, typer.Option("--images", help="The photographs, one folder a person.")]
LimitOption = Annotated[int, typer.Option(min=0, help="Take so many photographs, evenly spread; 0: all.")]
PeopleOption = Annotated[
    Path | None,
    typer.Option("--people", help="Only these people: a file of folder names, or of their hashes."),
]
SizesOption = Annotated[
    str, typer.Option("--sizes", metavar="N,N,...", help="Numbers of people enrolled, for the open set.")
]
EnrolOption = Annotated[
    Path | None, typer.Option("--enrol", help="CSV: person,image; who is enrolled. Without one it is drawn.")
]
ProbesOption = Annotated[
    Path | None, typer.Option("--probes", help="CSV: person,image; no person for strangers.")
]
RiskOption = Annotated[
    float | None,
    typer.Option("--risk", min=1e-9, max=0.1, help="A target_fpir instead of the configured one."),
]
SecurityOption = Annotated[
    Literal["convenience", "normal", "secure", "most_secure"] | None,
    typer.Option("--security", help="A level instead of the configured risk; not beside --risk."),
]
DealtOption = Annotated[
    str | None,
    typer.Option(
        "--dealt",
        metavar="N|carried",
        help="Deal the enrolled to doors of so many people each, which every stranger visits; carried: as "
        "many as the pack's table carries the risk for.",
    ),
]
FramesOption = Annotated[int, typer.Option("--frames", min=1, max=100, help="Frames of a visit.")]
FpsOption = Annotated[float, typer.Option("--fps", min=0.1, max=240, help="Frames a second of a visit.")]
VisitOption = Annotated[
    Literal["views", "photographs"],
    typer.Option(
        "--visit",
        help="What the frames of a visit are: mild changes of one photograph, or so many photographs of the "
        "person.",
    ),
]
ShareOption = Annotated[
    float,
    typer.Option("--enrolled", min=0.05, max=0.95, help="The share of a person's photographs to enrol."),
]
LeastOption = Annotated[
    int, typer.Option("--min-photos", min=2, help="Leave people with fewer photographs out.")
]
