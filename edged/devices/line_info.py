"""What a chip that is not there says of a line, in the words of libgpiod."""

import gpiod
from gpiod.line import Bias, Clock, Direction, Drive, Edge


def line_info(
    offset: int, name: str, *, used: bool, consumer: str, direction: Direction, active_low: bool = False
) -> gpiod.LineInfo:
    """Return the info of a line without bias, edges or debouncing."""
    return gpiod.LineInfo(
        offset=offset,
        name=name,
        used=used,
        consumer=consumer,
        direction=direction.value,
        active_low=active_low,
        bias=Bias.UNKNOWN.value,
        drive=Drive.PUSH_PULL.value,
        edge_detection=Edge.NONE.value,
        event_clock=Clock.MONOTONIC.value,
        debounced=False,
        debounce_period_us=0,
    )
