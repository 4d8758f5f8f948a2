"""The scikit-learn trio on the 88 values of a window."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_convert.data.feature_cache import ClipWindows
from babycry_edge.extras import require
from babycry_edge.whole_file import write_whole

ESTIMATORS = ("gradient_boosting", "random_forest", "rbf_svm")


def build(name: str, seed: int) -> Any:
    """An untrained estimator, one of :data:`ESTIMATORS`.

    Raises:
        BabycryError: scikit-learn is not installed.
    """
    require("sklearn", "convert")
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    if name == "random_forest":
        return RandomForestClassifier(n_estimators=100, class_weight="balanced", random_state=seed)
    if name == "gradient_boosting":
        return GradientBoostingClassifier(max_features="sqrt", random_state=seed)
    return make_pipeline(
        StandardScaler(), SVC(C=10.0, class_weight="balanced", probability=True, random_state=seed)
    )


def fit(estimator: Any, values: npt.NDArray[np.float32], classes: npt.NDArray[np.int64]) -> None:
    """Train; scikit-learn's word that ``SVC(probability=True)`` will change is not repeated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        estimator.fit(values, classes)


def rows(
    clips: Sequence[ClipWindows], names: Sequence[str]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Every window's values ``(n, 88)`` and its class ``(n,)``."""
    values = np.concatenate([clip.windows[:, 0] for clip in clips])
    classes = [names.index(clip.recording.label or "") for clip in clips]
    return values, np.repeat(classes, [len(clip.windows) for clip in clips])


def scores(estimator: Any, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Probabilities ``(n, n_classes)``, or what the estimator decides by where it has none."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(values))
    return np.asarray(estimator.decision_function(values))


def save(estimator: Any, folder: Path, name: str) -> Path:
    """Write ``NAME.skops`` and ``NAME.joblib``; the path of the first."""
    import joblib
    import skops.io

    path, buffer = folder / f"{name}.skops", io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        write_whole(path, skops.io.dumps(estimator))
        joblib.dump(estimator, buffer)
    write_whole(path.with_suffix(".joblib"), buffer.getvalue())
    return path
