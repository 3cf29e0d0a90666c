"""What the label that settings name is called: its column, and part of a registered model's name."""

from __future__ import annotations

from algo_pipeline.common.user_classes import is_reference


def label_name(configured: str) -> str:
    """The name of the label that settings name; for a user's class what it says of itself.

    Raises
    ------
    SettingsError, ConfigValueError
        As :func:`~algo_pipeline.data.own_label.configured_label_spec`.
    """
    if not is_reference(configured):
        return configured
    from algo_pipeline.data.own_label import configured_label_spec  # labels are compiled: not for a name alone

    return configured_label_spec(configured).name
