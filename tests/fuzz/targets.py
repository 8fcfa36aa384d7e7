"""All targets, by name."""

from tests.fuzz import (
    fleet_targets,
    http_target,
    pack_targets,
    picture_targets,
    storage_targets,
    table_targets,
    text_targets,
)

TARGETS = {
    target.name: target
    for module in (
        text_targets,
        picture_targets,
        pack_targets,
        storage_targets,
        table_targets,
        http_target,
        fleet_targets,
    )
    for target in module.TARGETS
}
