"""Every error a user can meet. The text says what happened and what to do about it.

One small tree: the command line and the server turn any :class:`SpineFractureError` into a
one-line message (and an HTTP status); anything else is a defect of ours.
"""

from __future__ import annotations


class SpineFractureError(Exception):
    """Root of all expected errors. ``http_status`` is what the server answers with."""

    http_status = 400


class InputError(SpineFractureError):
    """A file, folder or value given by the user cannot be used."""

    http_status = 422


class UnreadablePictureError(InputError):
    """A picture or series cannot be decoded or has no usable geometry."""


class OffDomainError(InputError):
    """The picture is readable but no prediction on it could be trusted."""


class NotFoundError(SpineFractureError):
    """A study, level, model, snapshot or job with this name does not exist."""

    http_status = 404


class ConflictError(SpineFractureError):
    """Somebody else changed the same thing first; nothing was overwritten."""

    http_status = 409


class SignInError(SpineFractureError):
    """Nobody is signed in, or name and password do not fit."""

    http_status = 401


class ForbiddenError(SpineFractureError):
    """Who asks is known and may not do this; the text says who may."""

    http_status = 403


class BlindedError(ForbiddenError):
    """What the models and others say is withheld until the reader has answered."""


class ModelFileError(SpineFractureError):
    """A weights file is missing, damaged or not the one the registry knows."""

    http_status = 500


class StorageError(SpineFractureError):
    """The disk or the database refused a write (what was there is intact), or a record is damaged."""

    http_status = 507


class InsufficientEvidenceError(SpineFractureError):
    """Too few patients or levels to decide; the text says what is missing."""

    http_status = 409


class TrainingError(SpineFractureError):
    """A training cannot go on; what its last checkpoint holds is intact."""

    http_status = 500


class RemoteError(SpineFractureError):
    """A PACS or another service did not answer as it should."""

    http_status = 502


class UnsureError(RemoteError):
    """Another service was sent something and did not say what became of it: it may be there all the same."""


class BusyError(SpineFractureError):
    """More is being asked for than can be answered now; nothing was lost."""

    http_status = 503
