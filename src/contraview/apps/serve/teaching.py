"""What labels teach the model: shown first, taken in one step, taken back."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contraview.apps.detection.living.feedback import load_feedback
from contraview.apps.detection.living.lessons import learn, take
from contraview.apps.detection.model import load_detector
from contraview.core.lineage import note
from contraview.core.model_folder import revert_model


class Teaching:
    """The lessons of `contraview feedback`, for the page.

    Args:
        folder: the model's.
        renew: is called once the model is another one.
    """

    def __init__(self, folder: Path, renew: Callable[[], None]) -> None:
        self._folder, self._renew = folder, renew
        self._lock = threading.Lock()

    def lessons(self) -> dict[str, Any]:
        """What would change; nothing does."""
        with self._lock:
            return learn(load_detector(self._folder), load_feedback(self._folder)).figures()

    def learn(self) -> dict[str, Any]:
        """Take the lessons."""
        with self._lock:
            lessons = learn(load_detector(self._folder), load_feedback(self._folder))
            take(self._folder, lessons)
        self._renew()
        return lessons.figures()

    def unlearn(self) -> None:
        """Undo the last step."""
        with self._lock:
            revert_model(self._folder, by="feedback")
            note(self._folder, "feedback --undo")
        self._renew()
